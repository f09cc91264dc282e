package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// maxStreamID is the highest id of a stream: far beyond what a connection opens.
const maxStreamID = 1<<32 - 3

func streamKey(conn, id uint32) uint64 { return uint64(conn)<<32 | uint64(id) }

// findStream is the stream of a connection with an id, or 0.
func (m *Machine) findStream(i uint32, c *conn, id uint64) uint32 {
	if f := c.firstStream; f != 0 && uint64(m.streams.At(f).id) == id {
		return f
	}
	if id > maxStreamID {
		return 0
	}
	return m.byID.Get(streamKey(i, uint32(id)))
}

// newStream makes a stream of either side.
func (m *Machine) newStream(i uint32, c *conn, id uint32) (*streamRec, bool) {
	if m.crowded() {
		return nil, false
	}
	self, ok := m.streamPlaces.Alloc(0)
	if !ok {
		return nil, false
	}
	s, rec, ok := m.streams.Alloc()
	invariant(ok, "more streams than handles")
	m.streamPlaces.Move(self, s)
	rec.conn, rec.id, rec.self = i, id, self
	m.enlist(s, rec, c)
	c.openStreams++
	return rec, true
}

// enlist puts a stream behind the others of its connection, of which all but the first are
// looked up in a table.
func (m *Machine) enlist(i uint32, s *streamRec, c *conn) {
	if c.lastStream != 0 {
		invariant(m.byID.Put(streamKey(s.conn, s.id), i), "more stream ids than streams")
		m.streams.At(c.lastStream).next = i
	} else {
		c.firstStream = i
	}
	c.lastStream = i
}

// OpenStream opens a stream of ours. ErrStreamIDs means that the peer takes no
// more for now.
func (m *Machine) OpenStream(now Instant, h ConnHandle) (StreamHandle, error) {
	i, c, err := m.open(h)
	if err != nil {
		return 0, err
	}
	m.now = now
	if c.nextStreamID > maxStreamID {
		return 0, ErrStreamIDs
	}
	if uint64(c.nextStreamID) > m.coldOf(c).maxStreamIDRemote {
		if !c.flags.has(flagToldIDBlocked) {
			c.flags |= flagTellIDBlocked | flagToldIDBlocked
			m.wakeConn(i, c)
		}
		return 0, ErrStreamIDs
	}
	rec, ok := m.newStream(i, c, c.nextStreamID)
	if !ok {
		return 0, ErrTooMany
	}
	c.nextStreamID += 2
	rec.receiveMax = m.optionsOf(c).ReceiveMax
	rec.flags |= streamTellMaxMoney | streamTellMaxData
	c.flags |= flagDirtyStreams
	return m.streamHandle(rec), nil
}

// openStream is the stream of a handle if it may still be used.
func (m *Machine) openStream(h StreamHandle) (uint32, *streamRec, *conn, error) {
	i, s, ok := m.streamOf(h)
	if !ok {
		return 0, nil, nil, ErrGone
	}
	c := m.conns.At(s.conn)
	if s.flags.has(streamClosed|streamRemoteClosed|streamEnding) || c.flags.has(flagClosed) {
		return 0, nil, nil, ErrClosed
	}
	return i, s, c, nil
}

// Fetch asks the memory for what the calls on these streams look at, and waits for
// nothing but where they are: who is about to visit many streams in no order of memory
// calls it for some dozens at a time before. Handles of what is no more do no harm.
func (m *Machine) Fetch(streams []StreamHandle) {
	for _, h := range streams {
		m.streamPlaces.Prefetch(slab.Handle(h))
	}
	for _, h := range streams {
		if i, ok := m.streamPlaces.Get(slab.Handle(h)); ok && i&foldedBit == 0 {
			m.streams.Prefetch(i, streamLinesOut)
		}
	}
	for _, h := range streams {
		if i, ok := m.streamPlaces.Get(slab.Handle(h)); ok && i&foldedBit == 0 {
			m.conns.Prefetch(m.streams.At(i).conn, linesOut)
		}
	}
}

// SetSendMax sets how much the stream may send in all, in our units. It may be
// lowered to what is sent and in flight; below that it is ErrMaximum. A stream that is
// closed or closing answers ErrClosed, here and at the other maxima.
func (m *Machine) SetSendMax(now Instant, h StreamHandle, limit Amount) error {
	i, s, c, err := m.openStream(h)
	if err != nil {
		return err
	}
	m.now = now
	if limit < satAdd(s.sent, s.heldOut) {
		return ErrMaximum
	}
	s.sendMax = limit
	if limit > 0 {
		s.flags |= streamPays
	}
	s.flags &^= streamTotalTold | streamToldBlocked | streamStuck
	m.noteMoneyBlocked(s)
	m.noteStuck(i, s, c)
	m.wakeConn(s.conn, c)
	return nil
}

// SetDeliverMax stops sending once so much was delivered in all, in the peer's
// units, whatever the send maximum is. What is in flight counts at the rate.
func (m *Machine) SetDeliverMax(now Instant, h StreamHandle, limit Amount) error {
	i, s, c, err := m.openStream(h)
	if err != nil {
		return err
	}
	m.now = now
	if s.flags &^= streamStuck | streamDeliverMax; limit != maxAmount {
		s.flags |= streamDeliverMax
		m.ownColdStream(s).deliverMax = limit
	}
	m.noteStuck(i, s, c)
	m.wakeConn(s.conn, c)
	return nil
}

// SetReceiveMax sets how much the stream takes in all, in our units (StreamMaxMoney,
// IL-RFC 0029 §5.3.9). It never falls (§4.4.4): a lower value is ErrMaximum.
//
// The packet that reaches the maximum may pass it by 1 % of what was left of it, rounded
// up, and is taken whole, as the reference library does: a sender, who knows only the
// rate, rounds up so that the maximum is reached. Where not one unit more may come in,
// set it lower by 1 %, rounded up.
func (m *Machine) SetReceiveMax(now Instant, h StreamHandle, limit Amount) error {
	_, s, c, err := m.openStream(h)
	if err != nil {
		return err
	}
	m.now = now
	if limit < s.receiveMax {
		return ErrMaximum
	}
	if limit > s.receiveMax {
		s.receiveMax = limit
		s.flags |= streamTellMaxMoney
		c.flags |= flagDirtyStreams
		m.wakeConn(s.conn, c)
	}
	return nil
}

// StreamInfo is what a stream tells of itself. Received, ReceiveMax, Sent,
// SendMax, Held and Unknown are in our units, Delivered and the remote figures
// in the peer's.
type StreamInfo struct {
	ID                   uint64          // within its connection (IL-RFC 0029 §4.4.1)
	Received, ReceiveMax Amount          // released to us; what it takes in all (IL-RFC 0029 §5.3.9)
	Sent, SendMax        Amount          // fulfilled of ours; what it may send in all
	Held, Unknown        Amount          // in flight, and the part of it whose link was lost
	Unsettled            Amount          // of Unknown, what the receiver does not tell about: it is not sent again
	Delivered            Amount          // what of Sent arrived, as the receiver said, at least the minimum that we asked for
	DeliverMax           Amount          // 2^64-1 unless set
	LeastSource          Amount          // of what is left to send, when that is too little for anything to arrive
	RemoteMax            Amount          // what the peer takes, once RemoteLimit
	RemoteReceived       Amount          // what the peer says it has received
	RemoteLimit          bool            // the peer has told both (StreamMaxMoney, IL-RFC 0029 §5.3.9)
	Readable, Buffered   int             // octets to read, and written but not yet known to have arrived
	Closed, RemoteClosed bool            // over; closed by the peer
	Code                 frame.ErrorCode // how it ended, once Closed (IL-RFC 0029 §5.4)
	// Receipt is the receipt of the peer's with the highest total (VerifyReceipt),
	// if HasReceipt.
	Receipt    [receipt.Len]byte
	HasReceipt bool // the peer has sent one
	// CloseMessage is what the end that closed the stream said, at most
	// MaxCloseMessage octets of it.
	CloseMessage string
	Conn         ConnHandle // whose stream it is
	User         uint64     // SetStreamUser; 0 if it has none of its own
}

// StreamInfo describes a stream.
func (m *Machine) StreamInfo(h StreamHandle) (StreamInfo, bool) {
	i, s, l, ok := m.lookAtStream(h)
	if !ok {
		return StreamInfo{}, false
	}
	defer m.lay(l)
	cold := m.coldStreamOf(s)
	info := StreamInfo{
		ID: uint64(s.id), Received: s.received, ReceiveMax: s.receiveMax, Sent: s.sent, SendMax: s.sendMax, Held: s.heldOut, Unknown: cold.unknown,
		Delivered: s.delivered, DeliverMax: maxAmount, RemoteMax: s.remoteMax, RemoteReceived: s.remoteReceived, RemoteLimit: s.flags.has(streamRemoteLimit),
		Closed: s.flags.has(streamClosed), RemoteClosed: s.flags.has(streamRemoteClosed), Code: cold.code,
		CloseMessage: m.words[i],
		Conn:         m.connHandle(m.conns.At(s.conn)), User: cold.user,
	}
	if s.flags.has(streamDeliverMax) {
		info.DeliverMax = cold.deliverMax
	}
	if m.conns.At(s.conn).flags.has(flagUntold) {
		info.Unsettled = cold.unknown
	}
	if cold.receipt != 0 {
		info.Receipt, info.HasReceipt = *m.receipts.At(cold.receipt), true
	}
	if s.flags.has(streamStuck) {
		info.LeastSource = m.conns.At(s.conn).leastSource()
	}
	if s.data != 0 {
		d := m.data.At(s.data)
		info.Readable, info.Buffered = int(d.have-d.read), d.out.len()
	}
	return info, true
}

// Streams appends the streams of a connection that are not released.
func (m *Machine) Streams(h ConnHandle, dst []StreamHandle) []StreamHandle {
	c, l, ok := m.lookAtConn(h)
	if !ok {
		return dst
	}
	defer m.lay(l)
	for s := c.firstStream; s != 0; s = m.streams.At(s).next {
		if rec := m.streams.At(s); !rec.flags.has(streamReleased) {
			dst = append(dst, m.streamHandle(rec))
		}
	}
	return dst
}

// SetStreamUser tags a stream with a number of the owner's; events carry it.
func (m *Machine) SetStreamUser(h StreamHandle, user uint64) {
	if _, s, l, ok := m.lookAtStream(h); ok {
		m.ownColdStream(s).user = user
		s.flags |= streamTagged
		m.lay(l)
	}
}

// CloseStream ends a stream once everything written has arrived and nothing of
// its money is in flight; EventStreamClosed follows.
func (m *Machine) CloseStream(now Instant, h StreamHandle) error {
	_, s, c, err := m.openStream(h)
	if err != nil {
		return err
	}
	m.now = now
	m.endStream(s, c)
	m.stepStreams(s.conn, c)
	m.wakeConn(s.conn, c)
	return nil
}

// DestroyStream ends a stream at once: what was written and not yet sent is
// dropped, what is in flight stays accounted. The peer is told code and message;
// EventStreamClosed follows.
func (m *Machine) DestroyStream(now Instant, h StreamHandle, code frame.ErrorCode, message string) error {
	i, s, ok := m.streamOf(h)
	if !ok {
		return ErrGone
	}
	c := m.conns.At(s.conn)
	if s.flags.has(streamClosed) || c.flags.has(flagClosed) {
		return ErrClosed
	}
	m.now = now
	m.ownColdStream(s).code = code
	m.say(i, message)
	s.flags |= streamCloseDue
	c.flags |= flagDirtyStreams
	m.streamOver(i, s, c)
	m.wakeConn(s.conn, c)
	return nil
}

// cut shortens a UTF-8 text to at most n octets, between two characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}

// MaxCloseMessage bounds what is kept of a StreamClose frame's message.
const MaxCloseMessage = 256

// say keeps the message that a stream is closed with.
func (m *Machine) say(i uint32, message string) {
	if message != "" {
		m.words[i] = cut(message, MaxCloseMessage)
	}
}

func (m *Machine) endStream(s *streamRec, c *conn) {
	s.flags |= streamEnding
	m.ownColdStream(s).code = frame.NoError
	s.sendMax = satAdd(s.sent, s.heldOut)
	c.flags |= flagStreamsEnding
}

// stepStreams sends StreamClose for the ending streams that are done.
func (m *Machine) stepStreams(i uint32, c *conn) {
	waiting := false
	for k := c.firstStream; k != 0; {
		s := m.streams.At(k)
		next := s.next
		if s.flags.has(streamEnding) && !s.flags.has(streamClosed) {
			if s.heldOut > m.coldStreamOf(s).unknown || m.unsentData(s) && !m.plant.hasty() {
				waiting = true
			} else {
				s.flags |= streamCloseDue
				c.flags |= flagDirtyStreams
				m.streamOver(k, s, c)
			}
		}
		k = next
	}
	if !waiting {
		c.flags &^= flagStreamsEnding
	}
}

// streamOver marks a stream closed, whoever closed it.
func (m *Machine) streamOver(i uint32, s *streamRec, c *conn) {
	if s.flags.has(streamClosed) {
		return
	}
	s.flags |= streamClosed
	c.openStreams--
	ours := (s.id%2 == 1) == c.flags.has(flagClient)
	cold := m.ownCold(c)
	if ours {
		cold.localClosed.add(ordinal(uint64(s.id)), &cold.farLocal)
	} else {
		cold.remoteClosed.add(ordinal(uint64(s.id)), &cold.farRemote)
		cold.maxStreamIDLocal = min(cold.maxStreamIDLocal+2, maxStreamID)
		c.flags |= flagTellLimit
	}
	m.dropOutgoing(s)
	m.streamEvent(EventStreamClosed, s)
}

// remoteStreamClose takes a StreamClose of the peer's: both directions end.
func (m *Machine) remoteStreamClose(i uint32, f frame.StreamClose) {
	s := m.streams.At(i)
	if s.flags.has(streamRemoteClosed) {
		return
	}
	s.flags |= streamRemoteClosed
	s.flags &^= streamCloseDue
	if !s.flags.has(streamClosed) {
		m.ownColdStream(s).code = f.Code
		m.say(i, string(f.Message))
		m.streamOver(i, s, m.conns.At(s.conn))
	}
}

// ReleaseStream lets the record of a closed stream go, with what was not read.
// Its owner calls it once after EventStreamClosed.
func (m *Machine) ReleaseStream(h StreamHandle) {
	i, s, ok := m.streamOf(h)
	if !ok || !s.flags.has(streamClosed) || s.flags.has(streamReleased) {
		return
	}
	s.flags |= streamReleased
	m.dropStream(i, s)
}

// dropStream frees a released stream once nothing names it and its StreamClose
// has been written.
func (m *Machine) dropStream(i uint32, s *streamRec) {
	if !s.flags.has(streamReleased) || s.refs > 0 || s.flags.has(streamCloseDue|streamCloseSent) {
		return
	}
	c := m.conns.At(s.conn)
	prev := uint32(0)
	for k := c.firstStream; k != 0 && k != i; k = m.streams.At(k).next {
		prev = k
	}
	if prev == 0 {
		c.firstStream = s.next
	} else {
		m.streams.At(prev).next = s.next
	}
	if c.lastStream == i {
		c.lastStream = prev
	}
	if m.coldOf(c).turn == i {
		m.ownCold(c).turn = 0
	}
	m.freeStream(i)
}

// closesArrived takes note that the packet of a slot has arrived, with the
// StreamClose frames that it carried; their streams may go.
func (m *Machine) closesArrived(i uint32, c *conn) {
	for k := c.firstStream; k != 0; {
		s := m.streams.At(k)
		next := s.next
		if s.flags.has(streamCloseSent) && m.coldStreamOf(s).closeSlot == i {
			s.flags &^= streamCloseSent
			m.dropStream(k, s)
		}
		k = next
	}
}

func (m *Machine) unrefStream(i uint32) {
	s := m.streams.At(i)
	s.refs--
	m.dropStream(i, s)
}

// freeStream gives a stream's record back; money that was not told yet is told.
func (m *Machine) freeStream(i uint32) {
	s := m.streams.At(i)
	for _, e := range [...]struct {
		kind    EventKind
		amount  Amount
		packets uint32
	}{{EventMoneyReceived, s.moneyIn, s.packetsIn}, {EventMoneySent, s.moneyOut, s.packetsOut}} {
		if e.packets > 0 {
			m.streamEvent(e.kind, s)
			last := m.events.last()
			last.Amount, last.Packets = e.amount, e.packets
		}
	}
	m.freeData(s)
	if s.cold != 0 {
		if r := m.coldStreamOf(s).receipt; r != 0 {
			m.receipts.Free(r)
		}
		m.coldStreams.Free(s.cold)
	}
	delete(m.words, i)
	m.byID.Delete(streamKey(s.conn, s.id))
	m.streamPlaces.Free(s.self)
	m.streams.Free(i)
}
