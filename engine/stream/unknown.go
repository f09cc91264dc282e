package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// A prepare whose answer is lost has left its amount in one of two states, and
// we do not know in which: the receiver has it, or nobody. Until its expiry and
// a margin it is unknown and stays held. After that it is in doubt: still held,
// until the receiver's own total (StreamMaxMoney, IL-RFC 0029 §5.3.9), in the
// authentic answer to a packet that was sent later, tells. While anything is in
// doubt the connection has one packet with money in flight at a time, so that
// the total can be compared with what was delivered.
//
// A receiver that does not tell its totals resolves nothing. Then the amounts in
// doubt go out again, one packet at a time.

// becomeUnknown takes a slot whose link was lost. Its money stays held; the
// rest goes out again.
func (m *Machine) becomeUnknown(i uint32, s *slot) {
	if m.plant.forgotten(m, i, s) {
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
	m.keepMoney(s, c)
	switch {
	case s.flags.has(slotMoney):
	case s.flags.has(slotTest):
		c.flags |= flagTestAddress
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
func (m *Machine) keepMoney(s *slot, c *conn) {
	if s.flags.has(slotData) {
		m.piecesLost(s.data)
		s.data = 0
		s.flags &^= slotData
	}
	m.tellAgain(s, c)
	if !s.flags.has(slotMoney) {
		return
	}
	s.flags |= slotUnknown
	mustAdd(&c.unknown, s.amount)
	mustAdd(&m.streams.At(s.stream).unknown, s.part)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		mustAdd(&m.streams.At(m.parts.At(p).stream).unknown, m.parts.At(p).amount)
	}
}

// expireSlot takes a slot that nobody answered until its expiry and a margin.
func (m *Machine) expireSlot(i uint32) {
	s := m.slots.At(i)
	m.stats.TimedOut++
	if s.flags.has(slotPeer) {
		m.events.push(Event{Kind: EventLinkRefused, Link: LinkHandle(m.links.Handle(s.link))})
		m.retire(i, s)
		return
	}
	ci, c, timely := s.conn, m.conns.At(s.conn), work{code: ilp.R00}
	if !s.flags.has(slotMoney) {
		var packet frame.Packet
		m.refused(i, s, c, &timely, &packet, false, ilp.R00)
		return
	}
	if !s.flags.has(slotUnknown) {
		m.leaveFlight(s)
		m.keepMoney(s, c)
		if !c.flags.has(flagClosed) {
			m.backOff(ci, c, s.flags, s.amount, s.sentAt, &timely, false, ilp.R00)
		}
	}
	if c.flags.has(flagClosed) {
		m.settleUnknown(i, s, c)
		return
	}
	m.beginDoubt(i, s, c)
	m.goOn(ci, c)
}

// beginDoubt keeps an expired slot in its connection's list, oldest first, and
// asks the receiver.
func (m *Machine) beginDoubt(i uint32, s *slot, c *conn) {
	s.flags |= slotDoubt
	s.prev, s.next = c.lastDoubt, 0
	if c.lastDoubt != 0 {
		m.slots.At(c.lastDoubt).next = i
	} else {
		c.firstDoubt = i
	}
	c.lastDoubt = i
	c.doubtSince = m.now
	m.askTotal(s.stream, c)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		m.askTotal(m.parts.At(p).stream, c)
	}
}

// askTotal makes a packet that a receiver may answer with its total.
func (m *Machine) askTotal(k uint32, c *conn) {
	rec := m.streams.At(k)
	rec.flags &^= streamTotalHeard
	if !rec.flags.has(streamClosed | streamRemoteClosed) {
		rec.flags |= streamTellBlocked
		c.flags |= flagDirtyStreams
	}
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
		c.lastDoubt = s.prev
	}
}

// paysOneByOne says that no money may be sent until what is in flight is
// answered.
func (c *conn) paysOneByOne() bool { return c.firstDoubt != 0 && c.heldOut > c.unknown }

// resolveDoubts looks at what is in doubt after a fresh answer of the receiver's.
func (m *Machine) resolveDoubts(h slab.Handle) {
	m.fresh = false
	c, ok := m.conns.Get(h)
	if !ok || c.flags.has(flagClosed) || c.heldOut > c.unknown {
		return
	}
	told, first := false, c.firstDoubt
	for i := first; i != 0; {
		s := m.slots.At(i)
		next := s.next
		if m.streams.At(s.stream).flags.has(streamTotalHeard | streamClosed) {
			told = true
			m.settleUnknown(i, s, c)
		}
		i = next
	}
	if !told && first != 0 {
		// It answers, and tells no total: the oldest goes out again, and the
		// answer to that may tell.
		s := m.slots.At(first)
		m.askTotal(s.stream, c)
		m.unspend(s, c)
		m.retire(first, s)
	}
	m.goOn(h.Index(), c)
}

// settleUnknown decides what became of an unknown packet: it arrived if the
// receiver's total is ahead of what was delivered by at least half of it.
func (m *Machine) settleUnknown(i uint32, s *slot, c *conn) {
	rec := m.streams.At(s.stream)
	ahead := floorSub(rec.remoteReceived, rec.delivered)
	arrived, part := s.partDest, s.partDest
	if c.lastRate.known() && c.lastRate.num > 0 {
		part = c.lastRate.dest(s.part)
		arrived = c.lastRate.dest(s.amount)
	}
	if ahead > 0 && ahead >= part-part/2 {
		m.spend(s, c, max(arrived, s.minDest))
		c.retry.reset()
		c.lastGain = m.now
	} else {
		m.unspend(s, c)
	}
	m.retire(i, s)
}

// settleDoubts decides about everything in doubt by what is known; the
// connection ends.
func (m *Machine) settleDoubts(c *conn) {
	for c.firstDoubt != 0 {
		i := c.firstDoubt
		m.settleUnknown(i, m.slots.At(i), c)
	}
}
