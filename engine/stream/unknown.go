package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// A prepare whose answer is lost has left its amount in one of two states, and
// we do not know in which: the receiver has it, or nobody. Until its expiry and
// a margin it is unknown and stays held. After that it is in doubt: still held,
// until the receiver's own total (StreamMaxMoney, IL-RFC 0029 §5.3.9), in the
// authentic answer to a packet that was sent later, tells. While anything is in
// doubt the connection has one packet with money in flight at a time, so that
// the total can be compared with what was delivered.
//
// A receiver that does not tell its totals resolves nothing. Nor do they as long as
// nobody has told what arrives of a packet, when there are several that a total can be
// ahead by. Then what is in doubt stays held and is never sent again: it may have
// arrived. The rest goes on, and EventUnsettled tells of it.

// becomeUnknown takes a slot whose link was lost. Its money stays held; the
// rest goes out again.
func (m *Machine) becomeUnknown(i uint32, s *slot) {
	if m.plant.forgotten(m, i, s) {
		return
	}
	if s.flags.has(slotEcho) {
		m.freeSlot(i, s)
		return
	}
	if s.flags.has(slotPeer) {
		m.events.push(Event{Kind: EventLinkRefused, Link: LinkHandle(m.links.Handle(s.link))})
		m.freeSlot(i, s)
		return
	}
	m.stats.Unknown++
	ci, c := s.conn, m.conns.At(s.conn)
	c.flight.remove(s)
	m.keepMoney(i, s, c)
	switch {
	case s.flags.has(slotMoney):
	case s.flags.has(slotTest):
		m.tryAgain(s, c)
		m.freeSlot(i, s)
	case s.flags.has(slotProbe):
		m.probeLost(ci, c)
		m.freeSlot(i, s)
	case s.flags.has(slotClose):
		c.flags = c.flags&^flagCloseSent | flagCloseDue
		m.freeSlot(i, s)
	default:
		m.freeSlot(i, s)
	}
	m.goOn(ci, c)
}

// keepMoney lets everything of a slot go out again but its money, which is
// unknown from here on.
func (m *Machine) keepMoney(i uint32, s *slot, c *conn) {
	if s.flags.has(slotData) {
		m.piecesLost(s.data)
		s.data = 0
		s.flags &^= slotData
	}
	m.tellAgain(i, s, c)
	if !s.flags.has(slotMoney) {
		return
	}
	s.flags |= slotUnknown
	mustAdd(&m.ownCold(c).unknown, s.amount)
	mustAdd(&m.ownColdStream(m.streams.At(s.stream)).unknown, s.part)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		mustAdd(&m.ownColdStream(m.streams.At(m.parts.At(p).stream)).unknown, m.parts.At(p).amount)
	}
}

// expireSlot takes a slot that nobody answered until its expiry and a margin.
func (m *Machine) expireSlot(i uint32, out Output) {
	s := m.slots.At(i)
	m.stats.TimedOut++
	if s.flags.has(slotEcho) {
		m.echoExpired(i, s, out)
		return
	}
	if s.flags.has(slotPeer) {
		m.events.push(Event{Kind: EventLinkRefused, Link: LinkHandle(m.links.Handle(s.link))})
		m.retire(i, s)
		return
	}
	ci, c, timely := s.conn, m.conns.At(s.conn), work{marks: marks{code: ilp.R00}}
	if !s.flags.has(slotMoney) {
		var packet frame.Packet
		m.refused(i, s, c, &timely, &packet, false, ilp.R00)
		return
	}
	if !s.flags.has(slotUnknown) {
		m.leaveFlight(s)
		m.keepMoney(i, s, c)
		if !c.flags.has(flagClosed) {
			m.backOff(ci, c, s.flags, s.amount, s.sentAt, &timely, false, ilp.R00)
		}
	}
	m.beginDoubt(i, s, c)
	m.settleIfLast(c)
	m.goOn(ci, c)
}

// beginDoubt keeps an expired slot in its connection's list, oldest first, and
// asks the receiver.
func (m *Machine) beginDoubt(i uint32, s *slot, c *conn) {
	s.flags |= slotDoubt
	cold := m.ownCold(c)
	s.prev, s.next = cold.lastDoubt, 0
	if cold.lastDoubt != 0 {
		m.slots.At(cold.lastDoubt).next = i
	} else {
		c.firstDoubt = i
	}
	cold.lastDoubt, cold.doubtSince, cold.freshAnswers = i, m.now, 0
	c.flags &^= flagUntold
	m.forgetTotals(s)
	m.askTotals(s, c)
}

// maxFresh is after how many answers a receiver is taken for one that does not tell
// its totals.
const maxFresh = 3

// untold is the oldest packet in doubt of which not every total was heard, or 0.
// One that was not asked for could belong to another in doubt.
func (m *Machine) untold(c *conn) uint32 {
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		if !m.allTold(m.slots.At(i)) {
			return i
		}
	}
	return 0
}

// forgetTotals waits for new totals of the streams that a packet pays.
func (m *Machine) forgetTotals(s *slot) {
	m.streams.At(s.stream).flags &^= streamTotalHeard
	for p := s.more; p != 0; p = m.parts.At(p).next {
		m.streams.At(m.parts.At(p).stream).flags &^= streamTotalHeard
	}
}

// askTotals asks for the totals of the streams that a packet pays. If all of these are over,
// nothing can be said of them, and the answer to anything else decides.
func (m *Machine) askTotals(s *slot, c *conn) {
	asks := false
	m.eachPart(s, func(k uint32, _ Amount) { asks = m.askTotal(k, c) || asks })
	if !asks {
		c.flags |= flagTellMaxData | flagUrgent
	}
}

// askTotal makes a packet that a receiver may answer with its total, if the stream is not over.
func (m *Machine) askTotal(k uint32, c *conn) (open bool) {
	rec := m.streams.At(k)
	open = !rec.flags.has(streamClosed | streamRemoteClosed)
	if open && !rec.flags.has(streamTotalHeard) {
		rec.flags |= streamTellBlocked
		c.flags |= flagDirtyStreams
	}
	return open
}

// endDoubt takes a slot out of the list.
func (m *Machine) endDoubt(s *slot) {
	c := m.conns.At(s.conn)
	if s.prev != 0 {
		m.slots.At(s.prev).next = s.next
	} else {
		c.firstDoubt = s.next
	}
	if s.next != 0 {
		m.slots.At(s.next).prev = s.prev
	} else {
		m.ownCold(c).lastDoubt = s.prev
	}
}

// paysOneByOne says that no money may be sent until what is in flight is
// answered.
func (m *Machine) paysOneByOne(c *conn) bool {
	return c.firstDoubt != 0 && !c.flags.has(flagUntold) && c.heldOut > m.coldOf(c).unknown
}

// afterAnswer looks at what is in doubt when an answer was taken. It is fresh when
// the receiver gave it to a packet that was sent after all that.
func (m *Machine) afterAnswer(i uint32, c *conn) {
	fresh, late := m.fresh, m.late
	m.fresh, m.late = false, false
	switch m.settleIfLast(c); {
	case c.flags.has(flagClosed) || c.heldOut > m.inDoubt(c):
		return // what may still arrive by itself must not be taken for what has
	case late && c.firstDoubt != 0 && !c.flags.has(flagUntold): // what was told meanwhile did not count
		m.askAnew(c)
		m.goOn(i, c)
		return
	case !fresh:
		return
	}
	cold := m.ownCold(c)
	cold.freshAnswers = min(cold.freshAnswers+1, maxFresh)
	switch untold := m.untold(c); {
	case untold == 0 && m.decidable(c):
		m.settleDoubts(c, true)
	case c.flags.has(flagUntold):
	case cold.freshAnswers < maxFresh && untold == 0: // the next packet with money may tell more
		m.askAnew(c)
	case cold.freshAnswers < maxFresh:
		m.askTotals(m.slots.At(untold), c)
	default:
		m.leaveUntold(c)
	}
	m.goOn(i, c)
}

// askAnew asks for totals as if none had been told since the doubt began.
func (m *Machine) askAnew(c *conn) {
	s := m.slots.At(c.firstDoubt)
	m.forgetTotals(s)
	m.askTotals(s, c)
}

// leaveUntold lets a connection go on whose receiver answers and does not tell its
// totals, or not enough: what is in doubt stays held.
func (m *Machine) leaveUntold(c *conn) {
	c.flags |= flagUntold
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		if rec := m.streams.At(k); m.coldStreamOf(rec).unknown > 0 {
			m.streamEvent(EventUnsettled, rec)
		}
	}
}

// settleIfLast decides about everything in doubt of a closed connection, by what
// is known, once nothing else of it is in flight.
func (m *Machine) settleIfLast(c *conn) {
	if !c.flags.has(flagClosed) || c.firstDoubt == 0 {
		return
	}
	if m.inDoubt(c) == c.heldOut {
		m.settleDoubts(c, false)
	}
}

// inDoubt is the money of a connection whose packets have expired unanswered.
func (m *Machine) inDoubt(c *conn) (sum Amount) {
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		sum = satAdd(sum, m.slots.At(i).amount)
	}
	return sum
}

// unread takes a packet that is fulfilled, with a reply that can not be read: the
// connection is over and has no keys, or somebody spoilt it. It counts with its
// minimum, and what has arrived beyond that must not pass for packets in doubt.
func (m *Machine) unread(s *slot, c *conn) {
	if more := floorSub(m.likeliest(c).dest(s.amount), s.minDest); more > 0 {
		cold := m.ownCold(c)
		cold.unread = satAdd(cold.unread, more)
	}
}

// borneOut says whether it is known what arrives of an amount. A rate that was given
// is only what the application expects: the path may have a better one, and then
// fewer packets are what a total is ahead by.
func (m *Machine) borneOut(c *conn) bool {
	return m.rateHeard(c) || m.optionsOf(c).RateDen == 0
}

// decidable says whether the receiver's totals tell which of the packets in doubt
// have arrived.
func (m *Machine) decidable(c *conn) bool {
	if m.borneOut(c) {
		return true
	}
	all, groups := m.doubts(c, m.likeliest(c), true) // nobody has told another rate
	m.uncount(c)
	for k := range groups {
		if _, only := m.certain(c, &groups[k], true); !only {
			return false
		}
	}
	for _, x := range m.silentStreams(all, func(*doubt) bool { return true }) {
		if _, only := certain(m.aheadOf(x.stream), x.minima, x.shares); !only {
			return false
		}
	}
	return true
}

// allTold says whether the totals of all streams that a packet pays were heard.
func (m *Machine) allTold(s *slot) bool {
	heard := m.streams.At(s.stream).flags.has(streamTotalHeard | streamClosed)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		heard = heard && m.streams.At(m.parts.At(p).stream).flags.has(streamTotalHeard|streamClosed)
	}
	return heard
}
