package stream

import (
	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Nearly all packets of a busy machine are alike: a prepare with money for the one
// stream of a connection of which nothing else is to be said, and the fulfill with
// that stream's receive maximum. They are foretold, as in TCP (Van Jacobson's header
// prediction): each function here looks whether a packet is the one that was to be
// expected, before it changes anything, and then does in one go what the general
// path does for it step by step. If it is not, the general path takes it. Both come
// to the same octets, totals and events (TestPlainPathDoesWhatTheGeneralOneDoes).

const (
	// unplainIn are the facts of a connection that a plain packet in leaves to the
	// general path: what the reply would have to tell or ask.
	unplainIn = flagClosed | flagTell | flagCloseDue | flagDecide | flagReceipts | flagAsleep
	// unplainOut are those that make a packet out more than one stream's money.
	unplainOut = flagClosed | flagRemoteClosed | flagTell | flagCloseDue | flagCloseSent | flagProbing | flagUrgent | flagTestAddress |
		flagTellAddress | flagEnding | flagStreamsEnding | flagAsleep | flagRetrying | flagExpiry
	// unplainAnswer are those that let an answer change more than totals.
	unplainAnswer = flagClosed | flagEnding | flagStreamsEnding | flagUntold | flagAsleep
	// wantsOut are those that may make a connection send by themselves.
	wantsOut = flagDirtyStreams | flagCloseDue | flagProbing | flagUrgent | flagTellBlocked | flagTellIDBlocked | flagTestAddress

	streamOver = streamClosed | streamRemoteClosed | streamEnding
)

// plainPrepare takes a packet that pays the first stream of its connection.
func (m *Machine) plainPrepare(e *Entry, w *work, op *aesni.Op, out Output) bool {
	c := m.conns.At(w.conn)
	if c.flags&(flagHeard|unplainIn) != flagHeard || c.link != m.linkIndex(e.Link) || m.cfg.Ledger || m.general() {
		return false
	}
	var p frame.MoneyPacket
	k := c.firstStream
	if !p.Parse(op.Text) || k == 0 || !m.linkIn(e.Link).up {
		return false
	}
	s, o := m.streams.At(k), m.optionsOf(c)
	amount := w.packet.Amount()
	switch {
	case p.PacketType != ilp.TypePrepare, p.Frame.StreamID != uint64(s.id), p.Frame.Shares == 0, s.flags.has(streamOver),
		amount == 0, amount < p.PrepareAmount, p.Sequence >= maxSequence,
		!s.surelyTakes(amount), c.heldIn > 0, !fits(c.totalReceived, amount),
		!aesni.Equal32(&op.Condition, (*[32]byte)(w.packet.Condition())),
		int64(m.now) >= expiryNs(w.packet)-m.cfg.FulfillMargin,
		o.Padding,
		!m.roomFor(e.Link, maxReplyText+replyOverhead, out),
		m.own(c.end(), op),
		!c.replay.acceptNear(p.Sequence):
		return false
	}
	// It is accepted.
	m.plainPackets++
	c.lastActive = m.now
	c.flags |= flagMovedMoney
	mustAdd(&c.totalReceived, amount)
	mustAdd(&s.received, amount)
	s.flags &^= streamTellMaxMoney
	m.stats.ReleasedPackets++
	m.stats.Released = satAdd(m.stats.Released, amount)
	m.stats.FulfillsOut++
	m.moneyReceived(s, o, amount)

	m.answerRoom()
	from := len(m.scratch.out)
	answer := &m.scratch.limit
	answer.PacketType, answer.Sequence, answer.PrepareAmount = ilp.TypeFulfill, p.Sequence, amount
	answer.Frame.StreamID, answer.Frame.ReceiveMax, answer.Frame.TotalReceived = uint64(s.id), s.receiveMax, s.received
	b := answer.Append(m.scratch.out)
	m.scratch.out = b
	n := len(b) - from + frame.Overhead
	size := ilp.FulfillLen(n)
	m.scratch.room -= size + framing
	if region := out.Reply(e.Link, e.Request, size); region != nil {
		fulfillment, data := ilp.PutFulfill(region, n)
		*(*[32]byte)(fulfillment) = op.Fulfillment
		m.sealReply(w.conn, c, b[from:len(b):len(b)], data)
	}
	if s.next != 0 || c.flags.has(wantsOut) || s.flags.has(streamPays) || s.data != 0 {
		m.wakeConn(w.conn, c)
	}
	return true
}

// general says that nothing is foretold.
func (m *Machine) general() bool { return m.unplain || m.plant.active() }

// surelyTakes says that an amount fits below the receive maximum, without the
// tolerance. None of it may be held.
func (s *streamRec) surelyTakes(amount Amount) bool {
	return s.received <= s.receiveMax && amount <= s.receiveMax-s.received
}

// fits says that a+b is no more than 2^64-1.
func fits(a, b Amount) bool {
	_, ok := addAmount(a, b)
	return ok
}

// framing is more than a link puts around one packet.
const framing = 64

// roomFor says whether a link has room for n octets. It asks the link once for many
// plain packets, and reckons with the worst in between.
func (m *Machine) roomFor(h LinkHandle, n int, out Output) bool {
	w := &m.scratch
	if w.roomOf != h || w.room < n {
		w.roomOf, w.room = h, out.Room(h)
	}
	return w.room >= n
}

// plainBuild writes the next packet of a connection whose only stream has money. It says
// false when the general path has to; and more, when it is done, that the connection has
// more to send at once. If not, canSend says the same, or it waits to be closed already;
// if so, its turn may still find nothing.
func (m *Machine) plainBuild(h LinkHandle, i uint32, c *conn, l *link, out Output) (done, more bool) {
	k := c.firstStream
	if c.flags&(flagReady|flagPeerAddress|unplainOut) != flagReady|flagPeerAddress || k == 0 ||
		c.firstDoubt != 0 || c.nextSequence >= maxSequence-1 || m.general() {
		return false, false
	}
	s, o := m.streams.At(k), m.optionsOf(c)
	if s.next != 0 || s.flags.has(streamOver) || s.data != 0 || o.Padding || o.PacketsPerSecond > 0 ||
		c.flight.full(c.window.size, uint64(o.MaxInFlightOctets), o.MaxInFlightAmount) {
		return false, false
	}
	sendable := m.sendableMoney(c, s)
	amount := c.portion(sendable, m.packetRoom(c, l))
	if amount == 0 {
		return false, false
	}
	id, slot, ok := m.newSlot()
	if !ok {
		return false, false
	}
	dest := c.rate.dest(amount)
	least := leastOf(dest, o.slippage)
	w := &m.scratch
	from := len(w.out)
	packet := &w.money
	packet.PacketType, packet.Sequence, packet.PrepareAmount = ilp.TypePrepare, c.nextSequence, least
	packet.Frame.StreamID, packet.Frame.Shares = uint64(s.id), uint64(amount)
	b := packet.Append(w.out)
	n := len(b) - from + frame.Overhead
	prefix, rest := m.peerParts(c)
	size := ilp.PrepareLen(len(prefix)+len(rest), n)
	region := out.Request(h, m.requestID(m.slots.Handle(id)), size)
	if region == nil {
		slot.answered = true // it was never written
		m.slots.Free(id)
		return false, false
	}
	m.plainPackets++
	w.room -= size + framing
	w.out = b
	slot.conn, slot.link, slot.sequence, slot.sentAt = i, c.link, c.nextSequence, m.now
	slot.flags = slotMoney | slotCanFulfil
	slot.amount, slot.minDest, slot.octets = amount, least, uint32(n)
	slot.stream, slot.part, slot.partDest = k, amount, dest
	slot.expiresMs = (m.now + Instant(o.Expiry)).unixMs()
	mustAdd(&s.heldOut, amount)
	s.heldDest = satAdd(s.heldDest, dest)
	s.refs++
	mustAdd(&c.heldOut, amount)
	c.refs++
	c.nextSequence++

	condition, destination, data := ilp.PutPrepareTo(region, amount, m.expiry.at(slot.expiresMs), len(prefix)+len(rest), n)
	copy(destination[copy(destination, prefix):], rest)
	w.prove[w.seals] = proof{condition: (*[32]byte)(condition), slot: id}
	op := &w.seal[w.seals]
	w.seals++
	op.Key, op.Text, op.Data = m.keyOf(i, c), b[from:len(b):len(b)], data
	m.ivs.Next(&op.IV, c.end())
	m.enterFlight(id, slot, c, l)
	m.countSequence(i, c)
	if c.nextSequence >= maxSequence-1 || c.flight.full(c.window.size, uint64(o.MaxInFlightOctets), o.MaxInFlightAmount) {
		return true, false
	}
	if !s.remoteLimited() && !s.flags.has(streamDeliverMax) { // it is less by what was sent
		left := floorSub(sendable, amount)
		return true, left > 0 && left >= c.leastSource()
	}
	return true, m.sendableMoney(c, s) > 0
}

// plainFulfill takes the fulfill of a plain packet whose reply tells the stream's
// receive maximum and nothing else.
func (m *Machine) plainFulfill(i uint32, s *slot, op *aesni.Op) bool {
	if s.flags != slotMoney|slotCanFulfil || s.more != 0 || s.told != 0 || m.general() {
		return false
	}
	ci, c := s.conn, m.conns.At(s.conn)
	if c.flags&(flagHeard|unplainAnswer) != flagHeard || c.firstDoubt != 0 || c.link == 0 {
		return false
	}
	var p frame.MaxMoneyPacket
	k := s.stream
	rec := m.streams.At(k)
	if !p.Parse(op.Text) || p.PacketType != ilp.TypeFulfill || p.Sequence != s.sequence || p.Frame.StreamID != uint64(rec.id) ||
		rec.flags.has(streamOver|streamReleased) || !rec.flags.has(streamRemoteLimit) || p.Frame.ReceiveMax > rec.remoteMax || m.own(c.end(), op) {
		return false
	}
	m.plainPackets++
	amount, o := s.amount, m.optionsOf(c)
	if m.scratch.far && !o.NoMoneyEvents {
		m.streamPlaces.PrefetchNumber(rec.self) // the event names it
	}
	arrived := max(s.minDest, p.PrepareAmount)
	c.lastActive = m.now
	m.stats.FulfillsIn++
	mustSub(&c.heldOut, amount)
	mustAdd(&c.totalSent, amount)
	c.delivered = satAdd(c.delivered, arrived)
	c.flags |= flagMovedMoney
	m.stats.Sent = satAdd(m.stats.Sent, amount)
	m.stats.SentPackets++
	mustSub(&rec.heldOut, amount)
	mustAdd(&rec.sent, amount)
	rec.heldDest = floorSub(rec.heldDest, s.partDest)
	rec.delivered = satAdd(rec.delivered, arrived)
	m.hearRate(c, arrived, amount)
	m.arrives(c, amount >= c.size.test)
	c.size.fulfilled(amount, o.MaxPacketAmount)
	m.trips.record(int64(m.now - s.sentAt))
	c.window.fulfilled(m.now, s.sentAt)
	l := m.links.At(s.link)
	l.roundTrip(m.now, s.sentAt)

	m.untrack(l, s)
	m.linkReady(s.link, l)
	c.flight.remove(s)
	rec.refs--
	c.refs--
	m.slots.Free(i)
	rec.remoteReceived = max(rec.remoteReceived, p.Frame.TotalReceived)
	m.moneySent(rec, o, amount)
	m.noteTotal(rec, o)
	if rec.heldOut == 0 {
		m.noteStuck(k, rec, c)
	}
	if !c.idle(k, rec) {
		m.noteMoneyBlocked(rec)
		m.wakeConn(ci, c)
	}
	return true
}

// idle says that a connection has nothing to send, whatever its windows and its pauses
// allow: its only stream has sent all money that it may.
func (c *conn) idle(i uint32, s *streamRec) bool {
	return c.flags&(flagReady|wantsOut) == flagReady && c.firstStream == i && s.next == 0 && s.data == 0 && s.sendMax <= satAdd(s.sent, s.heldOut)
}
