package stream

import (
	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// slotOfAnswer is the slot of the request that an answer belongs to and its connection,
// or zeros.
func (m *Machine) slotOfAnswer(e *Entry) (slot, conn uint32) {
	i, s := m.slotOf(e.Request)
	if s == nil {
		return 0, 0
	}
	return i, s.conn
}

// lookUpAnswer finds the request that an answer belongs to and compares the
// fulfillment with the one we expect: no hash is computed.
func (m *Machine) lookUpAnswer(e *Entry, w *work, op *aesni.Op) {
	i := w.slot
	w.slot = 0
	if i == 0 {
		return
	}
	s := m.slots.At(i)
	if m.linkIn(e.Link) == nil || s.link != m.linkIndex(e.Link) {
		return
	}
	w.slot = i
	if s.flags.has(slotPeer | slotSpent) {
		return
	}
	var data []byte
	switch e.Kind {
	case Fulfill:
		f := &m.scratch.fulfill
		if f.Parse(e.Packet) != nil {
			w.code = ilp.F01
			return
		}
		w.answers = s.flags.has(slotCanFulfil) && (aesni.Equal32((*[32]byte)(f.Fulfillment()), &s.expect) || m.plant.anyFulfillment())
		data = f.Data()
	case Reject:
		r, err := ilp.ParseReject(e.Packet)
		if err != nil {
			w.code = ilp.F01
			return
		}
		w.reply, w.code = r, r.Code()
		data = r.Data()
	default:
		return
	}
	if c := m.conns.At(s.conn); !c.flags.has(flagClosed) {
		if m.wake(s.conn, c) {
			w.woken = s.conn
		}
		m.prefetchStream(c, streamLinesOut)
		op.Key = keySlot(s.conn)
		m.openInto(op, data)
	}
}

// decideAnswer is the one place where the answer to a request of ours changes
// state.
func (m *Machine) decideAnswer(e *Entry, w *work, op *aesni.Op, out Output) {
	i, s := m.slotOf(e.Request)
	if w.slot == 0 || s == nil || i != w.slot || s.flags.has(slotSpent) {
		return // late, or a second answer
	}
	if s.flags.has(slotPeer) {
		s.answered = true
		if s.flags.has(slotEcho) {
			m.echoAnswered(i, s, e, out)
			return
		}
		if m.links.At(s.link).config == e.Request {
			m.configured(e.Link, e)
		}
		m.retire(i, s)
		return
	}
	if w.answers && op.OK && e.Kind == Fulfill && m.plainFulfill(i, s, op) {
		return
	}
	s.answered = true
	ci, c := s.conn, m.conns.At(s.conn)
	var packet frame.Packet
	authentic := false
	if op.OK && !c.flags.has(flagClosed) {
		p, err := frame.Parse(op.Text)
		authentic = err == nil && (p.Sequence == s.sequence || m.plant.anySequence()) && p.PacketType != ilp.TypePrepare
		if authentic && m.own(c.end(), op) {
			m.stats.Reflected++
			authentic = false
		}
		packet = p
	}
	if authentic {
		c.lastActive = m.now
		m.heard(ci, c)
	}
	if c.firstDoubt != 0 {
		after := s.sentAt >= m.coldOf(c).doubtSince
		m.fresh, m.late = authentic && after, s.flags.has(slotMoney) && !after
		defer m.afterAnswer(ci, c)
	}
	switch {
	case e.Kind == Fulfill && w.answers && !m.plant.unread(authentic):
		m.stats.FulfillsIn++
		m.fulfilled(i, s, c, &packet, authentic)
	case e.Kind == Failure:
		m.stats.FailuresIn++
		m.refused(i, s, c, w, &packet, false, ilp.T00)
	case e.Kind == Fulfill:
		// A wrong fulfillment proves nothing: whoever made it cannot claim the
		// money, and has not said what became of the packet.
		m.refused(i, s, c, w, &packet, false, ilp.F05)
	default:
		m.countReject(w.code)
		m.refused(i, s, c, w, &packet, authentic, w.code)
	}
}

// fulfilled counts a proven packet: its money is spent, whatever the reply says.
func (m *Machine) fulfilled(i uint32, s *slot, c *conn, packet *frame.Packet, authentic bool) {
	ci := s.conn
	trusted := authentic && packet.PacketType == ilp.TypeFulfill
	if s.flags.has(slotMoney) {
		arrived := s.minDest
		if trusted && packet.PrepareAmount > arrived {
			arrived = packet.PrepareAmount
		}
		m.spend(s, c, arrived)
		if trusted {
			m.hearRate(c, arrived, s.amount)
		} else {
			m.unread(s, c)
		}
		m.arrives(c, s.amount >= c.size.test)
		c.size.fulfilled(s.amount, m.optionsOf(c).MaxPacketAmount)
		m.trips.record(int64(m.now - s.sentAt))
	}
	m.roundTrip(s, c)
	if s.flags.has(slotData) {
		m.piecesArrived(s.data)
	}
	if c.firstDoubt != 0 && s.flags.has(slotMoney) {
		m.forgetTotals(s) // they were told before this arrived
	}
	if s.told&toldStreams != 0 {
		m.closesArrived(i, c)
	}
	m.retire(i, s)
	if trusted {
		m.applyReply(ci, c, packet)
	}
	m.goOn(ci, c)
}

// goOn lets a connection send what it can, or end, after an answer.
func (m *Machine) goOn(i uint32, c *conn) {
	if c.link == 0 || c.flags.has(flagClosed) {
		return
	}
	if c.flags.has(flagEnding) || c.openStreams > 0 && c.flags.has(flagStreamsEnding) {
		m.stepStreams(i, c)
		m.stepClose(i, c)
	}
	m.wakeConn(i, c)
}

// spend moves a packet's held amounts to what was sent.
func (m *Machine) spend(s *slot, c *conn, arrived Amount) {
	mustSub(&c.heldOut, s.amount)
	mustAdd(&c.totalSent, s.amount)
	c.delivered = satAdd(c.delivered, arrived)
	c.flags |= flagMovedMoney
	m.stats.Sent = satAdd(m.stats.Sent, s.amount)
	m.stats.SentPackets++
	if s.flags.has(slotUnknown) {
		mustSub(&m.ownCold(c).unknown, s.amount)
	}
	rest := arrived
	for p := s.more; p != 0; p = m.parts.At(p).next {
		x := m.parts.At(p)
		share, _ := mulDiv(arrived, uint64(x.amount), uint64(s.amount))
		rest = floorSub(rest, share)
		m.spendPart(s, x.stream, x.amount, x.dest, share)
	}
	m.spendPart(s, s.stream, s.part, s.partDest, rest)
	m.noteConnSettled(c)
}

func (m *Machine) spendPart(s *slot, stream uint32, amount, dest, arrived Amount) {
	rec := m.streams.At(stream)
	mustSub(&rec.heldOut, amount)
	mustAdd(&rec.sent, amount)
	rec.heldDest = floorSub(rec.heldDest, dest)
	rec.delivered = satAdd(rec.delivered, arrived)
	if s.flags.has(slotUnknown) {
		mustSub(&m.ownColdStream(rec).unknown, amount)
	}
	if o := m.optionsOf(m.conns.At(rec.conn)); amount > 0 {
		m.moneySent(rec, o, amount)
		m.noteTotal(rec, o)
	}
	if rec.heldOut == 0 {
		m.noteSettled(rec)
		m.noteStuck(stream, rec, m.conns.At(rec.conn))
	}
}

// noteTotal tells once that a stream has sent all that it may.
func (m *Machine) noteTotal(rec *streamRec, o *connOptions) {
	if rec.sent >= rec.sendMax && !rec.flags.has(streamTotalTold) && !o.NoTotalEvents {
		rec.flags |= streamTotalTold
		m.briefEvent(EventTotalSent, rec)
	}
}

// unspend gives a packet's held amounts back.
func (m *Machine) unspend(s *slot, c *conn) {
	mustSub(&c.heldOut, s.amount)
	if s.flags.has(slotUnknown) {
		mustSub(&m.ownCold(c).unknown, s.amount)
	}
	m.unspendPart(s, s.stream, s.part, s.partDest)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		x := m.parts.At(p)
		m.unspendPart(s, x.stream, x.amount, x.dest)
	}
	m.noteConnSettled(c)
}

func (m *Machine) unspendPart(s *slot, stream uint32, amount, dest Amount) {
	rec := m.streams.At(stream)
	mustSub(&rec.heldOut, amount)
	rec.heldDest = floorSub(rec.heldDest, dest)
	if s.flags.has(slotUnknown) {
		mustSub(&m.ownColdStream(rec).unknown, amount)
	}
	if rec.heldOut == 0 {
		m.noteSettled(rec)
	}
}

// noteSettled tells that the money of a closed stream is final.
func (m *Machine) noteSettled(rec *streamRec) {
	if rec.flags.has(streamClosed) {
		m.streamEvent(EventSettled, rec)
	}
}

// noteConnSettled tells that the money of a closed connection is final.
func (m *Machine) noteConnSettled(c *conn) {
	if c.flags.has(flagClosed) && c.heldOut == 0 {
		m.connEvent(EventSettled, c)
	}
}

// refused takes a packet that was not fulfilled: its money is free again, its
// data goes out again unless the receiver's own reply proves it was applied.
func (m *Machine) refused(i uint32, s *slot, c *conn, w *work, packet *frame.Packet, authentic bool, code ilp.Code) {
	ci, flags, amount, sentAt, sequence := s.conn, s.flags, s.amount, s.sentAt, s.sequence
	applied := false
	if authentic {
		applied = !m.refusedBeforeFrames(packet)
	}
	if flags.has(slotMoney) {
		m.unspend(s, c)
	}
	if flags.has(slotData) {
		if applied {
			m.piecesArrived(s.data)
		} else {
			m.piecesLost(s.data)
		}
	}
	if !applied {
		m.tellAgain(i, s, c)
	} else if s.told&toldStreams != 0 {
		m.closesArrived(i, c)
	}
	closing := flags.has(slotClose)
	m.retire(i, s)
	if c.link == 0 || c.flags.has(flagClosed) {
		return
	}
	if flags.has(slotTest) {
		m.addressTested(ci, c, sequence, authentic)
		m.goOn(ci, c)
		return
	}
	if flags.has(slotProbe) {
		m.probeAnswered(ci, c, amount, w, packet, authentic, code)
	}
	// "I sent a Fulfill" inside a Reject is honest when a connector was late:
	// the packet failed, and its frames are not trusted.
	if authentic && packet.PacketType == ilp.TypeReject {
		if flags.has(slotMoney) {
			m.hearRate(c, packet.PrepareAmount, amount)
		}
		m.applyReply(ci, c, packet)
	}
	switch {
	case c.flags.has(flagClosed):
	case closing:
		m.endAsSaid(ci, c)
	case !flags.has(slotProbe):
		m.backOff(ci, c, flags, amount, sentAt, w, authentic, code)
	}
	m.goOn(ci, c)
}

// refusedBeforeFrames says whether a receiver's reject tells that it applied
// no frame: it names a closed stream or closes the connection.
func (m *Machine) refusedBeforeFrames(packet *frame.Packet) bool {
	for it := packet.Frames(); it.Next(); {
		switch it.Type() {
		case frame.TypeConnectionClose:
			return true
		case frame.TypeStreamClose:
			if f, _ := frame.ParseStreamClose(it.Body()); f.Code == frame.StreamStateError {
				return true
			}
		}
	}
	return false
}

// applyReply applies the frames of a receiver's reply.
func (m *Machine) applyReply(i uint32, c *conn, packet *frame.Packet) {
	for it := packet.Frames(); it.Next(); {
		if c.flags.has(flagClosed) {
			return
		}
		m.applyFrame(i, c, it.Type(), it.Body(), nil)
	}
}

// tellAgain marks the state frames of a packet that did not arrive.
func (m *Machine) tellAgain(id uint32, s *slot, c *conn) {
	if s.told&toldLimit != 0 {
		c.flags |= flagTellLimit
	}
	if s.told&toldAsset != 0 {
		c.flags |= flagTellAsset
	}
	if s.told&toldAddress != 0 {
		c.flags |= flagTellAddress | flagUrgent
	}
	if s.told&toldMaxData != 0 {
		if c.flags |= flagTellMaxData; c.firstDoubt != 0 {
			c.flags |= flagUrgent // it may have been to ask (askTotals)
		}
	}
	if s.told&toldBlocked != 0 { // unless the limit has risen since
		if c.flags.has(flagToldBlocked) {
			c.flags |= flagTellBlocked
		}
		if c.flags.has(flagToldIDBlocked) {
			c.flags |= flagTellIDBlocked
		}
	}
	if s.told&toldStreams == 0 {
		return
	}
	for i := c.firstStream; i != 0; i = m.streams.At(i).next {
		rec := m.streams.At(i)
		switch {
		case rec.flags.has(streamCloseSent) && m.coldStreamOf(rec).closeSlot != id:
			continue
		case rec.flags.has(streamCloseSent):
			rec.flags = rec.flags&^streamCloseSent | streamCloseDue
		case !rec.flags.has(streamClosed | streamRemoteClosed):
			rec.flags |= streamTellMaxMoney | streamTellMaxData
			if rec.flags.has(streamToldBlocked) {
				rec.flags &^= streamToldBlocked
				m.noteMoneyBlocked(rec)
			}
			if rec.flags.has(streamToldDataBlocked) {
				rec.flags |= streamTellDataBlocked
			}
		default:
			continue
		}
		c.flags |= flagDirtyStreams
	}
}

// newSlot takes a request slot.
func (m *Machine) newSlot() (uint32, *slot, bool) {
	if m.setAsides() > 0 && (m.aside[m.spent].until <= m.now || m.slots.Len() == m.slots.Cap()) {
		m.takeBack()
	}
	i, s, ok := m.slots.Alloc()
	if !ok {
		return 0, nil, false
	}
	return i, s, true
}

// freeSlot gives a slot back; the caller has settled its money and data.
func (m *Machine) freeSlot(i uint32, s *slot) {
	if s.flags&(slotPeer|slotEcho) == slotPeer {
		m.asking--
	}
	if s.flags.has(slotMoney) {
		m.unrefStream(s.stream)
		for p := s.more; p != 0; p = m.parts.At(p).next {
			m.unrefStream(m.parts.At(p).stream)
		}
		m.freeParts(s.more)
	}
	c, answered := s.conn, s.answered
	*s = slot{}
	if answered {
		m.slots.Free(i)
	} else {
		m.setAside(i, s)
	}
	if c != 0 && !m.plant.leak() {
		m.unrefConn(c)
	}
}

// retire ends a slot that was answered or has expired.
func (m *Machine) retire(i uint32, s *slot) {
	if s.flags.has(slotDoubt) {
		m.endDoubt(s)
	}
	if !s.flags.has(slotUnknown) {
		m.leaveFlight(s)
	}
	m.freeSlot(i, s)
}
