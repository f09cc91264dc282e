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
	l := m.links.At(c.link)
	if l.ready.Push(i) {
		c.flags |= flagQueued
		m.linkReady(c.link)
	}
}

// linkReady notes that Transmit has something to do for a link.
func (m *Machine) linkReady(i uint32) {
	l := m.links.At(i)
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
	if c.flags.has(flagClosed|flagCloseSent) || !c.flags.has(flagPeerAddress) || m.flightFull(c) || m.paced(c) || !m.links.At(c.link).up {
		return false
	}
	if c.nextSequence >= maxSequence-1 && !c.flags.has(flagCloseDue) || c.nextSequence >= maxSequence {
		return false
	}
	switch {
	case c.flags.has(flagCloseDue):
		return true
	case c.flags.has(flagProbing):
		return c.probe.n > 0 && m.now >= c.probe.notBefore
	case m.now < c.retry.notBefore:
		return false
	case c.flags.has(flagUrgent | flagTellBlocked | flagTellIDBlocked | flagTestAddress):
		return true
	case c.flags.has(flagDirtyStreams) && m.streamsDue(c):
		return true
	}
	waits := c.paysOneByOne()
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
	left := s.unsent(c)
	if left < c.leastSource {
		return 0
	}
	if left == 0 || !s.flags.has(streamRemoteLimit) || s.remoteMax == maxAmount {
		return left
	}
	// What is in flight counts as arrived: the limit is the receiver's.
	taken := satAdd(s.remoteReceived, s.heldDest)
	return min(left, c.rate.source(floorSub(s.remoteMax, taken)))
}

// unsent is how much a stream has yet to send, by its send maximum and by what
// may be delivered at most.
func (s *streamRec) unsent(c *conn) Amount {
	left := floorSub(s.sendMax, satAdd(s.sent, s.heldOut))
	if s.deliverMax != maxAmount {
		left = min(left, c.rate.source(floorSub(s.deliverMax, satAdd(s.delivered, s.heldDest))))
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
	w.out, w.seals = w.out[:0], 0
	index := slab.Handle(h).Index()
	for w.seals < MaxVector && !l.full() && len(w.out) <= maxVectorOctets {
		if out.Room(h) < maxPrepareRoom {
			m.starved = append(m.starved, index)
			break
		}
		i, ok := l.ready.Pop()
		if !ok {
			break
		}
		if !m.liveConn(i) {
			continue
		}
		c := m.conns.At(i)
		c.flags &^= flagQueued
		if c.link != index || !m.canSend(c) {
			continue
		}
		m.wake(i, c)
		if !m.build(h, i, c, out) {
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
			copy(p.condition, ops[k].Condition[:])
			m.slots.At(p.slot).expect = ops[k].Fulfillment
		}
		ops[k].Text, ops[k].Data = nil, nil
		w.prove[k] = proof{}
	}
	w.seals = 0
	return n
}

// build writes one packet of a connection.
func (m *Machine) build(h LinkHandle, i uint32, c *conn, out Output) bool {
	if !c.flags.has(flagReady | flagProbing | flagClient | flagEnding) {
		m.probeIfNeeded(i, c)
	}
	id, s, ok := m.newSlot()
	if !ok {
		return false
	}
	w := &m.scratch
	from := len(w.out)
	s.conn, s.link, s.sequence, s.sentAt = i, c.link, c.nextSequence, m.now
	c.refs++
	cold := m.coldOf(i)
	destination := cold.peer
	var b []byte
	switch {
	case c.flags.has(flagCloseDue):
		b = m.composeClose(w.out, i, c, s)
	case c.flags.has(flagProbing) && c.probe.n > 0:
		b = m.composeProbe(w.out, c, s, i)
	case c.flags.has(flagTestAddress):
		b, destination = m.composeTest(w.out, c, s), cold.candidate
	default:
		b = m.composePacket(w.out, i, c, s)
	}
	if b == nil {
		m.abandon(id, s, c)
		return false
	}
	text := b[from:]
	n := len(text) + frame.Overhead
	rid := requestID(m.slots.Handle(id))
	region := out.Request(h, rid, ilp.PrepareLen(len(destination), n))
	if region == nil {
		m.abandon(id, s, c)
		return false
	}
	w.out = b
	s.octets = uint32(n)
	s.expiresMs = m.expiryOf(c, cold).unixMs()
	condition, data := ilp.PutPrepare(region, s.amount, m.expiry.at(s.expiresMs), destination, n)
	p := proof{condition: condition, slot: id}
	if !s.flags.has(slotCanFulfil) {
		m.ivs.Fill(condition)
		p.condition = nil
	}
	w.prove[w.seals] = p
	op := &w.seal[w.seals]
	w.seals++
	op.Key, op.Text, op.Data = keySlot(i), text[:len(text):len(text)], data
	m.ivs.Next(&op.IV)
	c.nextSequence += m.plant.step()
	m.enterFlight(id, s, c)
	m.countSequence(i, c)
	if c.paceNext > m.now {
		m.armConn(i, c)
	}
	m.slotTimers.Set(id, min(s.expiresMs, m.now.unixMs()+maxWaitMs)*1e6+m.cfg.ExpiryMargin)
	return true
}

// warnSequence is when a connection tells that it has used up half of its packets.
const warnSequence = maxSequence / 2

// countSequence warns of the end of a connection's sequences, and ends it while
// there is one left for ConnectionClose (IL-RFC 0029 §5.1.3).
func (m *Machine) countSequence(i uint32, c *conn) {
	switch c.nextSequence {
	case warnSequence:
		m.connEvent(EventHalfExhausted, i)
	case maxSequence - 1:
		m.failConn(i, c, frame.InternalError, "all sequences are used")
	}
}

// maxWaitMs is how long an answer is waited for, however far ahead a prepare
// expires: connectors hold none longer.
const maxWaitMs = 60_000

// expiryOf is when a packet that is written now expires.
func (m *Machine) expiryOf(c *conn, cold *coldConn) Instant {
	if cold.expiry != nil {
		if at := cold.expiry(m.now, cold.peer); at > m.now && at.unixMs() <= lastExpiryMs {
			return at
		}
	}
	return m.now + Instant(m.optionsOf(c).Expiry)
}

// lastExpiryMs is the last millisecond of the year 9999, which is as far as the
// digits of an expiry go (IL-RFC 0027).
const lastExpiryMs = 253402300799999

// abandon undoes what composing a packet took.
func (m *Machine) abandon(id uint32, s *slot, c *conn) {
	if s.flags.has(slotMoney) {
		m.unspend(s, c)
	}
	if s.flags.has(slotData) {
		m.piecesLost(s.data)
	}
	m.tellAgain(s, c)
	if s.flags.has(slotProbe) {
		c.probe.pending--
		c.probe.add(s.amount)
	}
	if s.flags.has(slotClose) {
		c.flags = c.flags&^flagCloseSent | flagCloseDue
	}
	if s.flags.has(slotTest) {
		c.flags |= flagTestAddress
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

// composeProbe writes a packet that cannot be fulfilled.
func (m *Machine) composeProbe(b []byte, c *conn, s *slot, i uint32) []byte {
	c.probe.n--
	s.amount = c.probe.amounts[0]
	copy(c.probe.amounts[:], c.probe.amounts[1:])
	c.probe.pending++
	s.flags |= slotProbe
	limit := len(b) + maxReplyText
	b, countAt := frame.AppendHeader(b, ilp.TypePrepare, s.sequence, 0)
	b, n := m.appendAddress(b, 0, i, c, s)
	b, n, more := m.appendDue(b, n, i, c, limit, false)
	s.told |= more
	frame.SetCount(b, countAt, n)
	return b
}

// composeClose writes the last packet of a connection: it cannot be fulfilled,
// and any answer to it will do.
func (m *Machine) composeClose(b []byte, i uint32, c *conn, s *slot) []byte {
	s.flags |= slotClose
	c.flags = c.flags&^flagCloseDue | flagCloseSent
	b, countAt := frame.AppendHeader(b, ilp.TypePrepare, s.sequence, 0)
	b = frame.ConnectionClose{Code: c.closeCode, Message: m.coldOf(i).closeMessage}.Append(b)
	frame.SetCount(b, countAt, 1)
	return b
}

// appendAddress tells our address: in every packet until the peer was heard, and
// once more when it has changed.
func (m *Machine) appendAddress(b []byte, n int, i uint32, c *conn, s *slot) ([]byte, int) {
	if !c.flags.has(flagTellAddress) {
		return b, n
	}
	c.flags |= flagTellAsset
	if c.flags.has(flagHeard) {
		c.flags &^= flagTellAddress
		s.told |= toldAddress
	}
	return frame.ConnectionNewAddress{Address: m.coldOf(i).local}.Append(b), n + 1
}

// maxMoneyStreams bounds the streams that one packet of ours pays.
const maxMoneyStreams = 8

// composePacket writes a fulfillable packet: control frames first, then money,
// then data. It returns nil when there is nothing to say.
func (m *Machine) composePacket(b []byte, i uint32, c *conn, s *slot) []byte {
	from := len(b)
	limit := from + frame.MaxPlaintext
	amount := m.takeMoney(c, s)
	s.flags |= slotCanFulfil
	s.minDest = 0
	if amount > 0 {
		s.minDest = c.rate.minDest(amount, m.optionsOf(c).slippage)
		if m.optionsOf(c).slippage < 1_000_000 {
			s.minDest = max(s.minDest, 1) // nothing is spent of which nothing arrives
		}
	}
	b, countAt := frame.AppendHeader(b, ilp.TypePrepare, s.sequence, m.plant.told(s.minDest))
	b, n := m.appendAddress(b, 0, i, c, s)
	c.flags &^= flagUrgent
	if c.flags.has(flagTell) {
		var more told
		b, n, more = m.appendDue(b, n, i, c, limit, false)
		s.told |= more
	}
	if amount > 0 {
		b = frame.StreamMoney{StreamID: m.streams.At(s.stream).id, Shares: uint64(s.part)}.Append(b)
		n++
		for p := s.more; p != 0; p = m.parts.At(p).next {
			b = frame.StreamMoney{StreamID: m.streams.At(m.parts.At(p).stream).id, Shares: uint64(m.parts.At(p).amount)}.Append(b)
			n++
		}
	}
	for k := c.firstStream; k != 0; {
		rec := m.streams.At(k)
		if !rec.flags.has(streamClosed) && m.sendableData(c, rec) {
			b, n, s.data = m.appendData(b, n, limit, c, k, s.data)
		}
		k = rec.next
	}
	if s.data != 0 {
		s.flags |= slotData
		if c.flags.has(flagDirtyStreams | flagTellBlocked) { // a window is used up
			var more told
			b, n, more = m.appendDue(b, n, i, c, limit, false)
			s.told |= more
		}
	}
	if n == 0 {
		return nil
	}
	frame.SetCount(b, countAt, n)
	if m.optionsOf(c).Padding {
		b = pad(b, from)
	}
	return b
}

// takeMoney holds the money of the next packet and notes its parts.
func (m *Machine) takeMoney(c *conn, s *slot) Amount {
	if !c.flags.has(flagReady) || c.paysOneByOne() {
		return 0
	}
	// The connection's own totals must fit 64 bits, whatever its streams may send.
	limit := min(c.size.test, c.size.ceiling(), maxAmount-satAdd(c.totalSent, c.heldOut), m.moneyRoom(c))
	if c.rate.num > c.rate.den {
		// What arrives must fit 64 bits.
		most, _ := mulDiv(maxAmount, c.rate.den, c.rate.num)
		limit = min(limit, most)
	}
	var total Amount
	streams := 0
	first := c.turn
	if first == 0 {
		first = c.firstStream
	}
	for k, once := first, false; k != 0 && limit > total && streams < maxMoneyStreams; {
		rec := m.streams.At(k)
		if a := c.portion(m.sendableMoney(c, rec), limit-total); a > 0 && m.holdPart(s, k, rec, a, c.rate.dest(a), streams == 0) {
			total += a
			streams++
		}
		if k = rec.next; k == 0 && !once {
			k, once = c.firstStream, true
		}
		if k == first {
			break
		}
		c.turn = k
	}
	if total > 0 {
		s.amount = total
		s.flags |= slotMoney
		mustAdd(&c.heldOut, total)
	}
	return total
}

// portion is how much of what a stream can send goes into one packet: as much as
// there is room for, but nothing of which nothing would arrive, and if it can be no
// rest of which nothing would.
func (c *conn) portion(sendable, room Amount) Amount {
	a := min(sendable, room)
	if a < c.leastSource {
		return 0
	}
	if rest := sendable - a; rest > 0 && rest < c.leastSource {
		if less := floorSub(a, c.leastSource-rest); less >= c.leastSource {
			return less
		}
	}
	return a
}

func (m *Machine) holdPart(s *slot, k uint32, rec *streamRec, amount, dest Amount, first bool) bool {
	if first {
		s.stream, s.part, s.partDest = k, amount, dest
	} else {
		i, p, ok := m.parts.Alloc()
		if !ok {
			return false
		}
		*p = morePart{stream: k, amount: amount, dest: dest, next: s.more}
		s.more = i
	}
	mustAdd(&rec.heldOut, amount)
	rec.heldDest = satAdd(rec.heldDest, dest)
	rec.refs++
	return true
}
