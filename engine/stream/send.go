package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// maxPrepareRoom is the most that one prepare of ours takes.
const maxPrepareRoom = ilp.MaxPrepareLen + 64

// wakeConn puts a connection into its link's ring when it has something to
// send and may.
func (m *Machine) wakeConn(i uint32, c *conn) {
	if c.flags.has(flagQueued) || !m.canSend(c) {
		return
	}
	if l := m.links.At(c.link); l.queue(i, c) {
		m.linkReady(c.link, l)
	}
}

// queue puts a connection at the end of the ring.
func (l *link) queue(i uint32, c *conn) bool {
	if !l.ready.Push(i) {
		return false
	}
	c.flags |= flagQueued
	return true
}

// linkReady notes that Transmit may have something to do for a link.
func (m *Machine) linkReady(i uint32, l *link) {
	if l.marked || !l.up || l.ready.Len() == 0 || l.full() {
		return
	}
	l.marked = true
	m.readyLinks = append(m.readyLinks, LinkHandle(m.links.Handle(i)))
}

// PollReady returns a link on which something has become ready to send; its
// owner calls Transmit for it.
func (m *Machine) PollReady() (LinkHandle, bool) {
	n := len(m.readyLinks)
	if n == 0 {
		return 0, false
	}
	h := m.readyLinks[n-1]
	m.readyLinks = m.readyLinks[:n-1]
	if l, ok := m.links.Get(slab.Handle(h)); ok {
		l.marked = false
	}
	return h, true
}

// canSend says whether a connection has a packet to send that its window and
// its pauses allow.
func (m *Machine) canSend(c *conn) bool {
	return m.links.At(c.link).up && m.wantsToSend(c)
}

// wantsToSend is the same, whatever its link allows.
func (m *Machine) wantsToSend(c *conn) bool {
	if c.flags.has(flagClosed|flagCloseSent) || !c.flags.has(flagPeerAddress) || m.flightFull(c) || m.paced(c) {
		return false
	}
	if c.nextSequence >= maxSequence-1 && !c.flags.has(flagCloseDue) || c.nextSequence >= maxSequence {
		return false
	}
	switch {
	case c.flags.has(flagCloseDue | flagTestAddress):
		return true
	case c.flags.has(flagProbing):
		p := m.probes.At(c.probe)
		return p.n > 0 && m.now >= p.notBefore
	case c.flags.has(flagRetrying) && m.now < m.coldOf(c).retry.notBefore:
		return false
	case c.flags.has(flagUrgent | flagTellBlocked | flagTellIDBlocked):
		return true
	case c.flags.has(flagDirtyStreams) && m.streamsDue(c):
		return true
	}
	waits := m.paysOneByOne(c)
	for k := c.firstStream; k != 0; {
		s := m.streams.At(k)
		if !waits && m.sendableMoney(c, s) > 0 || !s.flags.has(streamClosed) && m.sendableData(c, s) {
			return true
		}
		if s.sendMax > 0 && !c.flags.has(flagReady|flagProbing|flagClient) && s.sendMax > s.sent {
			return true // a server's connection looks for the rate once it has money to send
		}
		k = s.next
	}
	return false
}

// streamsDue says whether some stream has a control frame to tell.
func (m *Machine) streamsDue(c *conn) bool {
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		f := m.streams.At(k).flags
		if f.has(streamCloseDue) || f.has(streamTell) && !f.has(streamClosed|streamRemoteClosed) {
			return true
		}
	}
	return false
}

// sendableMoney is how much a stream may put into the next packet, before the
// packet's own limit.
func (m *Machine) sendableMoney(c *conn, s *streamRec) Amount {
	if !c.flags.has(flagReady) || s.flags.has(streamClosed|streamRemoteClosed) {
		return 0
	}
	left := m.unsent(c, s)
	if left < c.leastSource() {
		return 0
	}
	if left == 0 || !s.remoteLimited() {
		return left
	}
	// What is in flight counts as arrived: the limit is the receiver's.
	taken := satAdd(s.remoteReceived, s.heldDest)
	room := floorSub(s.remoteMax, taken)
	most := c.rate.source(room)
	if most > 0 && c.rate.dest(most) > tolerated(room) {
		most-- // where a unit of ours is many of theirs, rounding up is too much
	}
	return min(left, most)
}

// remoteLimited says that the peer's receive maximum counts.
func (s *streamRec) remoteLimited() bool {
	return s.flags.has(streamRemoteLimit) && s.remoteMax != maxAmount
}

// unsent is how much a stream has yet to send, by its send maximum and by what
// may be delivered at most.
func (m *Machine) unsent(c *conn, s *streamRec) Amount {
	left := floorSub(s.sendMax, satAdd(s.sent, s.heldOut))
	if s.flags.has(streamDeliverMax) {
		left = min(left, c.rate.source(floorSub(m.coldStreamOf(s).deliverMax, satAdd(s.delivered, s.heldDest))))
	}
	return left
}

// Transmit writes the packets that the link's window, its room and the
// connections' own windows allow. It returns how many.
func (m *Machine) Transmit(now Instant, h LinkHandle, out Output) int {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok || !l.up {
		return 0
	}
	m.now = now
	total := 0
	for l.ready.Len() > 0 && !l.full() {
		n := m.transmitVector(h, l, out)
		if n == 0 {
			break
		}
		total += n
	}
	m.buryDead()
	return total
}

func (m *Machine) transmitVector(h LinkHandle, l *link, out Output) int {
	w := &m.scratch
	w.out, w.seals, w.roomOf = w.out[:0], 0, 0
	w.far = m.conns.Len() > connsNear && l.flight.packets+1 < l.window // for one alone it is too late
	index := slab.Handle(h).Index()
	for k := range connAhead {
		m.prefetchReady(l, k)
	}
	for k := range streamAhead {
		m.prefetchNext(l, k)
	}
	for w.seals < MaxVector && !l.full() && len(w.out) <= maxVectorOctets {
		if !m.roomFor(h, maxPrepareRoom, out) {
			m.starve(index, l)
			break
		}
		m.prefetchReady(l, connAhead)
		m.prefetchNext(l, streamAhead)
		i, ok := l.ready.Pop()
		if !ok {
			break
		}
		c := m.conns.Any(i)
		if c.link != index {
			continue // it is no more; or it has moved to another link, and waits there
		}
		c.flags &^= flagQueued
		if built, more := m.plainBuild(h, i, c, l, out); built {
			if more {
				l.queue(i, c)
			}
			continue
		}
		if !m.canSend(c) {
			continue
		}
		w.roomOf = 0
		if m.wake(i, c) {
			m.armConn(i, c)
		}
		if m.slots.Len() == m.slots.Cap() && m.setAsides() == 0 {
			l.queue(i, c)
			m.starve(index, l)
			break
		}
		if !m.build(h, i, c, l, out) {
			if m.crowds(l, c) && l.queue(i, c) {
				l.crowded = true
			}
			continue
		}
		m.wakeConn(i, c)
	}
	n := w.seals
	if n == 0 {
		return 0
	}
	m.stats.TransmitVectors++
	m.stats.PreparesOut += uint64(n)
	ops := w.seal[:n]
	m.keys.SealVector(ops)
	for k := range ops {
		if w.prove[k].condition == nil {
			ops[k].Data = nil
		}
	}
	m.keys.ProveVector(ops)
	for k := range ops {
		if p := w.prove[k]; p.condition != nil {
			*p.condition = ops[k].Condition
			m.slots.At(p.slot).expect = ops[k].Fulfillment
		}
	}
	w.seals = 0
	if n == 1 {
		m.foresee(l)
	}
	return n
}

// foresee asks for what the next packet of a link takes that goes one at a time. The
// connection after it is asked for, too: in its turn to be asked for this much, it is there.
func (m *Machine) foresee(l *link) {
	if m.conns.Len() <= connsNear || l.ready.Len() == 0 {
		return
	}
	m.scratch.far = true
	m.prefetchReady(l, 1)
	m.prefetchNext(l, 0)
	m.keys.Fetch(keySlot(l.ready.Peek(0)))
}

// How many turns ahead a connection is asked for, and what can only be asked for once
// it is there.
const (
	connAhead   = 8
	streamAhead = 4
)

// prefetchReady asks for the connection whose turn is k from now.
func (m *Machine) prefetchReady(l *link, k int) {
	if m.scratch.far && k < l.ready.Len() {
		i := l.ready.Peek(k)
		m.conns.Prefetch(i, linesOut)
	}
}

// prefetchNext asks for the stream and the address of the connection whose turn is k
// from now, for which prefetchReady has asked before.
func (m *Machine) prefetchNext(l *link, k int) {
	if !m.scratch.far || k >= l.ready.Len() {
		return
	}
	i := l.ready.Peek(k)
	c := m.conns.Any(i)
	m.prefetchStream(c, streamLinesOut)
	m.prefetchNames(c)
}

// starve has a link tried again soon: it has no room, or there is no slot.
func (m *Machine) starve(i uint32, l *link) {
	if l.starved {
		return
	}
	l.starved = true
	if len(m.starved) == 0 {
		m.starvedAt = m.now
	}
	m.starved = append(m.starved, i)
}

// build writes one packet of a connection.
func (m *Machine) build(h LinkHandle, i uint32, c *conn, l *link, out Output) bool {
	if !c.flags.has(flagReady | flagProbing | flagClient | flagEnding) {
		m.probeIfNeeded(i, c)
	}
	id, s, ok := m.newSlot()
	if !ok {
		return false
	}
	w := &m.scratch
	from := len(w.out)
	m.composing = id
	s.conn, s.link, s.sequence, s.sentAt = i, c.link, c.nextSequence, m.now
	c.refs++
	prefix, rest := m.peerParts(c)
	var b []byte
	switch {
	case c.flags.has(flagCloseDue):
		b = m.composeClose(w.out, i, c, s)
	case c.flags.has(flagTestAddress): // before probes, which would go to the address before
		b = m.composeTest(w.out, c, s)
		prefix, rest = "", m.coldOf(c).candidate
	case c.flags.has(flagProbing) && m.probes.At(c.probe).n > 0:
		b = m.composeProbe(w.out, c, s, i)
	default:
		b = m.composePacket(w.out, i, c, s)
	}
	if b == nil {
		m.abandon(id, s, c)
		return false
	}
	text := b[from:]
	n := len(text) + frame.Overhead
	rid := m.requestID(m.slots.Handle(id))
	region := out.Request(h, rid, ilp.PrepareLen(len(prefix)+len(rest), n))
	if region == nil {
		m.abandon(id, s, c)
		return false
	}
	w.out = b
	s.octets = uint32(n)
	s.expiresMs = m.expiryOf(c).unixMs()
	condition, destination, data := ilp.PutPrepareTo(region, s.amount, m.expiry.at(s.expiresMs), len(prefix)+len(rest), n)
	copy(destination[copy(destination, prefix):], rest)
	p := proof{slot: id}
	if s.flags.has(slotCanFulfil) {
		p.condition = (*[32]byte)(condition)
	} else {
		m.ivs.Fill(condition)
	}
	w.prove[w.seals] = p
	op := &w.seal[w.seals]
	w.seals++
	op.Key, op.Text, op.Data = m.keyOf(i, c), text[:len(text):len(text)], data
	m.ivs.Next(&op.IV, c.end())
	c.nextSequence += m.plant.step()
	m.enterFlight(id, s, c, l)
	m.countSequence(i, c)
	if m.paced(c) {
		m.armConn(i, c)
	}
	return true
}

// warnSequence is when a connection tells that it has used up half of its packets.
const warnSequence = maxSequence / 2

// countSequence warns of the end of a connection's sequences, and ends it while
// there is one left for ConnectionClose (IL-RFC 0029 §5.1.3).
func (m *Machine) countSequence(i uint32, c *conn) {
	switch c.nextSequence {
	case warnSequence:
		m.connEvent(EventHalfExhausted, c)
	case maxSequence - 1:
		m.failConn(i, c, frame.InternalError, "all sequences are used")
	}
}

// maxWaitMs is how long an answer is waited for, however far ahead a prepare
// expires: connectors hold none longer.
const maxWaitMs = 60_000

// expiryOf is when a packet that is written now expires.
func (m *Machine) expiryOf(c *conn) Instant {
	if c.flags.has(flagExpiry) {
		if at := m.coldOf(c).expiry(m.now, m.peerOf(c)); at > m.now {
			return at
		}
	}
	return m.now + Instant(m.optionsOf(c).Expiry)
}

// abandon undoes what composing a packet took.
func (m *Machine) abandon(id uint32, s *slot, c *conn) {
	s.answered = true // it was never written
	if s.flags.has(slotMoney) {
		m.unspend(s, c)
	}
	if s.flags.has(slotData) {
		m.piecesLost(s.data)
	}
	m.tellAgain(id, s, c)
	if s.flags.has(slotProbe) {
		p := m.probes.At(c.probe)
		p.pending--
		p.add(s.amount)
	}
	if s.flags.has(slotClose) {
		c.flags = c.flags&^flagCloseSent | flagCloseDue
	}
	if s.flags.has(slotTest) {
		m.tryAgain(s, c)
	}
	m.freeSlot(id, s)
}

// probeIfNeeded begins to look for the rate when a stream of a server's
// connection has money to send.
func (m *Machine) probeIfNeeded(i uint32, c *conn) {
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		if s := m.streams.At(k); s.sendMax > s.sent && !s.flags.has(streamClosed) {
			if o := m.optionsOf(c); o.RateDen != 0 {
				m.setRate(c, rate{o.RateNum, o.RateDen})
				c.flags |= flagReady
			} else {
				m.startProbe(i, c)
			}
			return
		}
	}
}
