package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/receipt"
)

// reply is the answer to one prepare while it is worked out.
type reply struct {
	entry       *Entry
	conn        uint32
	sequence    Sequence
	amount      Amount // what arrived
	fulfillment *[32]byte
	parts       []part
	closed      [4]uint64 // streams to be told closed
	nClosed     int
	busy        bool // refuse without a STREAM packet: nothing more can be buffered
}

// closedStream notes that the packet was for a stream that is closed: the
// answer says so with StreamClose(StreamStateError).
func (r *reply) closedStream(id uint64) {
	if r.nClosed < len(r.closed) {
		r.closed[r.nClosed] = id
		r.nClosed++
	}
}

// replyReject answers F99 with an encrypted STREAM packet that tells what
// arrived. Without one the sender would take the reject for a connector's.
func (m *Machine) replyReject(r *reply, out Output) {
	m.stats.RejectsOut++
	text := m.composeReply(r, ilp.TypeReject)
	l := m.linkOf(r.entry.Link)
	n := len(text) + frame.Overhead
	region := out.Reply(r.entry.Link, r.entry.Request, ilp.RejectLen(len(l.address), 0, n))
	if region != nil {
		m.sealReply(r.conn, m.conns.At(r.conn), text, ilp.PutReject(region, ilp.F99, l.address, nil, n))
	}
}

// replyFulfill hands out the fulfillment with an encrypted STREAM packet.
func (m *Machine) replyFulfill(r *reply, out Output) {
	m.stats.FulfillsOut++
	text := m.composeReply(r, ilp.TypeFulfill)
	n := len(text) + frame.Overhead
	region := out.Reply(r.entry.Link, r.entry.Request, ilp.FulfillLen(n))
	if region != nil {
		fulfillment, data := ilp.PutFulfill(region, n)
		copy(fulfillment, r.fulfillment[:])
		m.sealReply(r.conn, m.conns.At(r.conn), text, data)
	}
}

// composeReply writes a reply's plaintext into the vector's scratch: what
// arrived, the state of the streams that the packet paid, and what is due.
func (m *Machine) composeReply(r *reply, t ilp.PacketType) []byte {
	c := m.conns.At(r.conn)
	m.answerRoom()
	from := len(m.scratch.out)
	b, countAt := frame.AppendHeader(m.scratch.out, t, r.sequence, r.amount)
	n := 0
	for _, id := range r.closed[:r.nClosed] {
		b = frame.StreamClose{StreamID: id, Code: frame.StreamStateError}.Append(b)
		n++
	}
	for k := range r.parts {
		s := m.streams.At(r.parts[k].stream)
		if k > 0 && r.parts[k].stream == r.parts[k-1].stream || s.flags.has(streamClosed) {
			continue
		}
		b = s.maxMoney().Append(b)
		s.flags &^= streamTellMaxMoney
		n++
		if c.flags.has(flagReceipts) && t == ilp.TypeFulfill && r.amount > 0 && len(b)+receiptFrame <= from+maxReplyText {
			b, n = m.appendReceipt(b, n, r.conn, s)
		}
	}
	if c.flags.has(flagTell | flagCloseDue) {
		b, n, _ = m.appendDue(b, n, r.conn, c, from+maxReplyText, true)
	}
	frame.SetCount(b, countAt, n)
	if m.optionsOf(c).Padding {
		b = pad(b, from)
	}
	m.scratch.out = b
	return b[from:len(b):len(b)]
}

// pad fills a plaintext that begins at from with zero octets up to the largest
// that a packet carries: junk after the frames (IL-RFC 0029 §5.2).
func pad(b []byte, from int) []byte {
	n := len(b)
	b = b[:max(n, from+frame.MaxPlaintext)]
	clear(b[n:])
	return b
}

// replyText bounds the plaintext of the reply to a packet.
func (m *Machine) replyText(known uint32, w *work) int {
	var options uint32
	if known != 0 {
		options = m.conns.At(known).options
	} else {
		options = m.servers[m.scratch.newcomers[w.scratch].server&^provedBit].options
	}
	if m.options.entries[options].Padding {
		return frame.MaxPlaintext
	}
	return maxReplyText
}

// replyRoom is the room that a reply of a connection may need.
func (m *Machine) replyRoom(c *conn) int {
	if m.optionsOf(c).Padding {
		return frame.MaxPlaintext + replyOverhead
	}
	return maxReplyText + replyOverhead
}

// maxMoney is the stream's receive limit as it is told.
func (s *streamRec) maxMoney() frame.StreamMaxMoney {
	return frame.StreamMaxMoney{StreamID: uint64(s.id), ReceiveMax: s.receiveMax, TotalReceived: s.received}
}

// receiptFrame is more than a StreamReceipt frame takes.
const receiptFrame = 2 + 9 + 1 + receipt.Len

// streamFrames is more than the control frames of one stream take, and
// reserveFrame more than any one of them.
const (
	streamFrames = 4*reserveFrame + MaxCloseMessage
	reserveFrame = 40
)

// appendDue appends the control frames that are due, as far as limit. In a
// reply nothing tells whether they arrived, so closing frames stay due while
// we can send prepares ourselves.
func (m *Machine) appendDue(b []byte, n int, i uint32, c *conn, limit int, inReply bool) ([]byte, int, told) {
	var t told
	room := func() bool { return len(b)+reserveFrame <= limit && n < maxFrames }
	if c.flags.has(flagTellLimit) && room() {
		b = frame.ConnectionMaxStreamID{MaxStreamID: m.coldOf(c).maxStreamIDLocal}.Append(b)
		c.flags &^= flagTellLimit
		t |= toldLimit
		n++
	}
	l := m.links.At(c.link)
	if c.flags.has(flagTellAsset) && len(b)+reserveFrame+len(l.asset) <= limit {
		b = frame.ConnectionAssetDetails{AssetCode: l.asset, Scale: l.scale}.Append(b)
		if !c.flags.has(flagTellAddress) {
			c.flags &^= flagTellAsset // while the address is told, so is the asset
		}
		t |= toldAsset
		n++
	}
	if c.flags.has(flagTellMaxData) && room() {
		cold := m.coldOf(c)
		end := max(cold.maxDataLocal, cold.dataRead+cold.dataWindow)
		if end != cold.maxDataLocal {
			m.ownCold(c).maxDataLocal = end
		}
		b = frame.ConnectionMaxData{MaxOffset: end}.Append(b)
		c.flags &^= flagTellMaxData
		t |= toldMaxData
		n++
	}
	if c.flags.has(flagTellBlocked|flagTellIDBlocked) && len(b)+2*reserveFrame <= limit {
		b, n = m.appendBlocked(b, n, c)
		t |= toldBlocked
	}
	if c.flags.has(flagDirtyStreams) {
		c.flags &^= flagDirtyStreams
		for s := c.firstStream; s != 0; {
			rec := m.streams.At(s)
			if len(b)+streamFrames > limit || n+4 > maxFrames {
				c.flags |= flagDirtyStreams
				break
			}
			b, n = m.appendStreamDue(b, n, c, s, rec, inReply)
			s = rec.next
		}
		t |= toldStreams
	}
	if c.flags.has(flagCloseDue) && (!inReply || !c.flags.has(flagPeerAddress)) && room() && len(b)+len(m.coldOf(c).closeMessage)+reserveFrame <= limit {
		b = m.closeFrame(c).Append(b)
		n++
		if inReply {
			c.flags &^= flagCloseDue
			m.endAsSaid(i, c)
		}
	}
	return b, n, t
}

// appendStreamDue appends what is due of one stream.
func (m *Machine) appendStreamDue(b []byte, n int, c *conn, i uint32, s *streamRec, inReply bool) ([]byte, int) {
	if s.flags.has(streamCloseDue) && (!inReply || !c.flags.has(flagPeerAddress)) {
		b = frame.StreamClose{StreamID: uint64(s.id), Code: m.coldStreamOf(s).code, Message: []byte(m.words[i])}.Append(b)
		n++
		s.flags &^= streamCloseDue
		if inReply { // nothing tells whether it arrives
			m.loose = append(m.loose, m.streamHandle(s))
		} else {
			s.flags |= streamCloseSent
			m.ownColdStream(s).closeSlot = m.composing
		}
		return b, n
	}
	if s.flags.has(streamClosed|streamRemoteClosed) && !s.flags.has(streamCloseDue) {
		s.flags &^= streamTell
		return b, n
	}
	if s.flags.has(streamTellMaxMoney) {
		b = m.plant.limit(s.maxMoney()).Append(b)
		s.flags &^= streamTellMaxMoney
		n++
	}
	if s.flags.has(streamTellMaxData) {
		b = frame.StreamMaxData{StreamID: uint64(s.id), MaxOffset: m.windowEnd(c, s)}.Append(b)
		s.flags &^= streamTellMaxData
		n++
	}
	if s.flags.has(streamTellBlocked) {
		b = frame.StreamMoneyBlocked{StreamID: uint64(s.id), SendMax: s.sendMax, TotalSent: s.sent}.Append(b)
		s.flags &^= streamTellBlocked
		n++
	}
	if s.flags.has(streamTellDataBlocked) {
		b = frame.StreamDataBlocked{StreamID: uint64(s.id), MaxOffset: m.data.At(s.data).end()}.Append(b)
		s.flags &^= streamTellDataBlocked
		n++
	}
	if s.flags.has(streamCloseDue) {
		c.flags |= flagDirtyStreams
	}
	return b, n
}
