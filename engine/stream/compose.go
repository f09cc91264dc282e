package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// composeProbe writes a packet that cannot be fulfilled.
func (m *Machine) composeProbe(b []byte, c *conn, s *slot, i uint32) []byte {
	p := m.probes.At(c.probe)
	p.n--
	s.amount = p.amounts[0]
	copy(p.amounts[:], p.amounts[1:])
	p.pending++
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
	b = m.closeFrame(c).Append(b)
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
	return frame.ConnectionNewAddress{Address: m.localOf(c)}.Append(b), n + 1
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
		s.minDest = leastOf(c.rate.dest(amount), m.optionsOf(c).slippage)
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
		b = frame.StreamMoney{StreamID: uint64(m.streams.At(s.stream).id), Shares: uint64(s.part)}.Append(b)
		n++
		for p := s.more; p != 0; p = m.parts.At(p).next {
			b = frame.StreamMoney{StreamID: uint64(m.streams.At(m.parts.At(p).stream).id), Shares: uint64(m.parts.At(p).amount)}.Append(b)
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
	if !c.flags.has(flagReady) || m.paysOneByOne(c) {
		return 0
	}
	limit := m.packetRoom(c, m.links.At(c.link))
	var total Amount
	streams := 0
	first := m.coldOf(c).turn
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
		m.ownCold(c).turn = k
	}
	if total > 0 {
		s.amount = total
		s.flags |= slotMoney
		mustAdd(&c.heldOut, total)
	}
	return total
}

// packetRoom is the most that the next packet may have.
func (m *Machine) packetRoom(c *conn, l *link) Amount {
	// The connection's own totals must fit 64 bits, whatever its streams may send.
	limit := min(c.size.test, c.size.ceiling(m.optionsOf(c).MaxPacketAmount), maxAmount-satAdd(c.totalSent, c.heldOut), m.moneyRoom(c, l))
	if c.rate.num > c.rate.den {
		// What arrives must fit 64 bits.
		most, _ := mulDiv(maxAmount, c.rate.den, c.rate.num)
		limit = min(limit, most)
	}
	return limit
}

// portion is how much of what a stream can send goes into one packet: as much as
// there is room for, but nothing of which nothing would arrive, and if it can be no
// rest of which nothing would.
func (c *conn) portion(sendable, room Amount) Amount {
	a, least := min(sendable, room), c.leastSource()
	if a < least {
		return 0
	}
	if rest := sendable - a; rest > 0 && rest < least {
		if less := floorSub(a, least-rest); less >= least {
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
