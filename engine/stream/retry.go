package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

const (
	// Delays, in milliseconds.
	firstDelay = 100 // after a temporary reject, as the reference library
	firstPause = 10  // after a receiver's refusal, which the reference repeats at once
	maxDelay   = 10_000

	// freeTooLarge is how many F08 in a row are followed at once: halving 2^64 down
	// to one takes 64.
	freeTooLarge = 100

	// unreachableFor is how long F02 is borne from a path that has worked, and while
	// the peer moves: a receiver whose link was cut is unreachable until it is back.
	unreachableFor = 5e9
)

// retry paces a connection whose packets are refused.
type retry struct {
	notBefore  Instant // no money before
	since      Instant // when the present delay began
	delay      uint32  // the present one, or 0
	tooLarge   uint32  // F08 since a packet of full size last arrived
	tooLargeAt Instant // of the last one that was counted
	failing    Instant // of the first refusal since money last arrived, or 0
}

// reset is for money that has arrived; full says that it was a packet of the size
// that is tried.
func (r *retry) reset(full bool) {
	switch {
	case full || r.tooLarge == 0:
		*r = retry{}
	case r.tooLarge > freeTooLarge: // small change does not end the pause
		r.failing = 0
	default:
		*r = retry{tooLarge: r.tooLarge, tooLargeAt: r.tooLargeAt}
	}
}

// arrives takes note that money has arrived, as reset does.
func (m *Machine) arrives(c *conn, full bool) {
	if !c.flags.has(flagRetrying) {
		return
	}
	r := &m.ownCold(c).retry
	if r.reset(full); *r == (retry{}) {
		c.flags &^= flagRetrying
	}
}

// pause waits, longer each time. Packets that were sent before the present
// pause began tell nothing new: a whole flight refused is one refusal.
func (r *retry) pause(now, sentAt Instant, first uint32) bool {
	if r.delay != 0 && sentAt < r.since {
		return false
	}
	r.delay = min(max(2*r.delay, first), maxDelay)
	r.since = now
	r.notBefore = now + Instant(r.delay)*1e6
	return true
}

// backOff decides what a reject means for the packets that follow. Nothing
// here ever sends the refused packet again: its money is free, and whatever
// goes out next has a new sequence and a new IV.
func (m *Machine) backOff(i uint32, c *conn, flags slotFlags, amount Amount, sentAt Instant, w *work, authentic bool, code ilp.Code) {
	c.flags |= flagRetrying
	r := &m.ownCold(c).retry
	switch {
	case code == ilp.F08:
		var data []byte
		if w.answersData() {
			data = w.reply.Data()
		}
		if !c.size.tooLarge(amount, data, m.optionsOf(c).MaxPacketAmount) {
			m.failConn(i, c, frame.InternalError, "the path's maximum packet amount is 0")
			return
		}
		// The search for a size may take a few: then it is a refusal like others.
		if sentAt >= r.tooLargeAt { // a flight is one refusal
			r.tooLarge++
			r.tooLargeAt = m.now
		}
		if r.tooLarge <= freeTooLarge {
			return
		}
		r.pause(m.now, sentAt, firstPause)
	case authentic:
		// The receiver's own refusal: a limit, a rate, a decision. The frames
		// it sent may have blocked us already; if not, do not spin.
		if flags.has(slotMoney) {
			r.pause(m.now, sentAt, firstPause)
		}
	case code.Class() == 'T' || code == ilp.R00 || code == ilp.R01 || code == ilp.R02 || code == ilp.F99 || code == ilp.F05:
		if r.pause(m.now, sentAt, firstDelay) {
			c.window.congested()
		}
		if code == ilp.T04 && flags.has(slotMoney) {
			c.size.shortOfLiquidity(amount, m.optionsOf(c).MaxPacketAmount)
		}
	case code == ilp.F02 && (c.delivered > 0 || m.moving(c)) && (r.failing == 0 || m.now-r.failing < unreachableFor):
		if r.failing == 0 {
			r.failing = m.now
		}
		r.pause(m.now, sentAt, firstDelay)
	default:
		m.giveUp(i, c, code)
		return
	}
	if flags.has(slotMoney) {
		if r.failing == 0 {
			r.failing = m.now
		} else if m.now-r.failing > Instant(m.optionsOf(c).RetryFor) {
			m.giveUp(i, c, code)
			return
		}
	}
	m.armConn(i, c)
}

// answersData says that the reply view is a parsed reject.
func (w *work) answersData() bool { return w.code == ilp.F08 && !w.refuse && w.slot != 0 }

// giveUp ends a connection whose packets a connector refuses for good.
func (m *Machine) giveUp(i uint32, c *conn, code ilp.Code) {
	message := append([]byte("packets are refused with "), code.String()...)
	if code == ilp.F02 {
		if !c.flags.has(flagHeard) {
			message = append(message, ": nobody answers for this address, or its secret is another, or its credentials were used before"...)
		}
		// Nobody there to close with.
		m.endConn(i, frame.InternalError, message, false)
		return
	}
	m.failConn(i, c, frame.InternalError, string(message))
}
