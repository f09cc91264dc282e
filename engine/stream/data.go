package stream

import (
	"errors"

	"github.com/millrace-ilp/millrace/codec/frame"
)

// ErrEnd is returned by Read at the end of a stream that its peer closed with
// NoError, after all octets were read.
var ErrEnd = errors.New("stream: end of stream")

// dataState is the octets of one stream, both ways. A stream without data has none.
type dataState struct {
	// Sending: out holds the octets from base on; those below next have been
	// sent at least once.
	out         ring
	room        int     // how much that may hold
	grew        Instant // when that last grew
	base, next  uint64
	first, last uint32 // pieces in order of offset
	lost        uint32 // pieces to be sent again, in order of loss
	lostLast    uint32
	// Receiving: in holds the octets from read on; those below have are there,
	// and so are the segments beyond.
	in       ring
	read     uint64
	have     uint64
	high     uint64 // the furthest octet seen
	told     uint64 // the window's end as the peer knows it
	window   uint64 // how much the peer may send ahead of the reader
	grower   grower // of window
	segments []segment
}

// segment is a run of octets that arrived ahead of a gap.
type segment struct{ from, to uint64 }

// headerGrowth is left free in a packet of new data: should it have to go out again,
// the same frame must fit beside a longer sequence and a minimum amount.
const headerGrowth = 16

// maxSegments bounds the gaps of one stream.
const maxSegments = 256

// piece is one StreamData frame that was sent: a resend repeats its octets and
// its framing (IL-RFC 0029 §5.3.11).
type piece struct {
	stream   uint32
	next     uint32 // by offset
	nextLost uint32
	nextSlot uint32 // of the same packet
	length   uint32
	done     bool
	offset   uint64
}

// end is the offset behind the last octet that was written.
func (d *dataState) end() uint64 { return d.base + uint64(d.out.len()) }

func (m *Machine) dataOf(s *streamRec) *dataState {
	if s.data == 0 {
		i, d, ok := m.data.Alloc()
		invariant(ok, "more data states than streams")
		o := m.optionsOf(m.conns.At(s.conn))
		*d = dataState{window: uint64(o.StreamWindow), room: o.SendBuffer}
		s.data = i
	}
	return m.data.At(s.data)
}

// takeData stores the octets of a StreamData frame. Duplicates, overlaps and
// other splits are tolerated; the first copy is kept.
func (m *Machine) takeData(i uint32, c *conn, k uint32, f frame.StreamData, r *reply) bool {
	s := m.streams.At(k)
	end := f.Offset + uint64(len(f.Data))
	if end < f.Offset {
		m.failConn(i, c, frame.FrameFormatError, "data offset too large")
		return false
	}
	d := m.dataOf(s)
	if s.flags.has(streamClosed) {
		// Nobody will read it, and the connection's window must not suffer.
		if end > d.high && end <= d.read+d.window {
			cold := m.ownCold(c)
			cold.dataIn += end - d.high
			cold.dataRead += end - d.high
			d.high = end
		}
		return true
	}
	// The answer tells both windows: an earlier one may never have arrived.
	s.flags |= streamTellMaxData
	c.flags |= flagDirtyStreams | flagTellMaxData
	if end > d.read+d.window {
		m.failConn(i, c, frame.FlowControlError, "more data than the stream's window")
		return false
	}
	more := uint64(0)
	if end > d.high {
		more = end - d.high
	}
	cold := m.ownCold(c)
	if cold.dataIn+more > max(cold.maxDataLocal, cold.dataRead+cold.dataWindow) {
		m.failConn(i, c, frame.FlowControlError, "more data than the connection's window")
		return false
	}
	if end <= d.have {
		return true
	}
	grow := int(max(end, d.high)-d.read) - d.in.len()
	if len(d.segments) >= maxSegments && f.Offset > d.have || grow > 0 && m.roomIn(inRing(s.data), grow) < grow {
		r.busy = true
		return false
	}
	if grow > 0 {
		m.extendRing(inRing(s.data), grow)
	}
	cold.dataIn += more
	d.high = max(d.high, end)
	d.grower.arrived(m.now, end)
	before := d.have
	d.store(f.Offset, m.plant.octets(f.Data, f.Offset > d.have))
	if d.have > before {
		m.readable(s)
	}
	return true
}

// store puts octets into the gaps that they fill.
func (d *dataState) store(offset uint64, octets []byte) {
	from, to := max(offset, d.have), offset+uint64(len(octets))
	if from >= to {
		return
	}
	put := func(a, b uint64) {
		if a < b {
			d.in.put(int(a-d.read), octets[a-offset:b-offset])
		}
	}
	// Copy what lies between the segments that are there already.
	at := from
	lo := 0
	for lo < len(d.segments) && d.segments[lo].to < from {
		lo++
	}
	hi := lo
	merged := segment{from, to}
	for hi < len(d.segments) && d.segments[hi].from <= to {
		g := d.segments[hi]
		put(at, min(g.from, to))
		at = max(at, g.to)
		merged.from, merged.to = min(merged.from, g.from), max(merged.to, g.to)
		hi++
	}
	put(at, to)
	if merged.from <= d.have {
		d.have = merged.to
		d.segments = append(d.segments[:lo], d.segments[hi:]...)
		return
	}
	if lo == hi {
		d.segments = append(d.segments, segment{})
		copy(d.segments[lo+1:], d.segments[lo:])
		d.segments[lo] = merged
		return
	}
	d.segments[lo] = merged
	d.segments = append(d.segments[:lo+1], d.segments[hi:]...)
}

// Read copies octets of a stream in order and opens the window by as many. It
// returns 0 and nil when there are none yet: EventReadable follows. At the end
// it returns ErrEnd, or ErrClosed when the stream ended with an error.
func (m *Machine) Read(now Instant, h StreamHandle, p []byte) (int, error) {
	_, s, l, ok := m.lookAtStream(h)
	if !ok {
		return 0, ErrGone
	}
	m.now = now
	n := 0
	if s.data != 0 {
		d := m.data.At(s.data)
		n = int(min(uint64(len(p)), d.have-d.read))
		if n > 0 {
			m.stay(l)
			d.in.get(p[:n])
			d.read += uint64(n)
			m.drainRing(inRing(s.data), n)
			m.opened(s, d, uint64(n))
			return n, nil
		}
	}
	defer m.lay(l)
	switch {
	case len(p) == 0 || !s.flags.has(streamClosed):
		return 0, nil
	case m.coldStreamOf(s).code == frame.NoError && (s.data == 0 || len(m.data.At(s.data).segments) == 0):
		return 0, ErrEnd
	}
	return 0, ErrClosed
}

// Write copies octets to be sent on a stream, as many as its buffer takes;
// when that is not all, EventWritable follows.
func (m *Machine) Write(now Instant, h StreamHandle, p []byte) (int, error) {
	_, s, c, err := m.openStream(h)
	if err != nil {
		return 0, err
	}
	m.now = now
	d := m.dataOf(s)
	out, at := outRing(s.data), d.out.len()
	n := m.roomIn(out, max(0, min(len(p), d.room-at)))
	if n < len(p) {
		s.flags |= streamWriteWait
		if at == 0 && n == 0 {
			m.writers = append(m.writers, h)
		}
	}
	if n == 0 {
		return 0, nil
	}
	m.extendRing(out, n)
	d.out.put(at, p[:n])
	m.noteDataBlocked(c, s, d)
	m.wakeConn(s.conn, c)
	return n, nil
}

// unsentData says whether octets are yet to arrive.
func (m *Machine) unsentData(s *streamRec) bool {
	return s.data != 0 && m.data.At(s.data).out.len() > 0
}

// sendableData says whether a stream has octets that its windows let go.
func (m *Machine) sendableData(c *conn, s *streamRec) bool {
	if s.data == 0 {
		return false
	}
	d := m.data.At(s.data)
	return d.lost != 0 || d.next < d.end() && d.next < m.windowRemote(s) && m.coldOf(c).dataOut < c.maxDataRemote
}

// appendData appends the StreamData frames of a stream that fit below limit:
// first what was lost, framed as before, then what is new. list is the pieces
// of the packet.
func (m *Machine) appendData(b []byte, n, limit int, c *conn, k uint32, list uint32) ([]byte, int, uint32) {
	s, cold := m.streams.At(k), m.ownCold(c)
	d := m.data.At(s.data)
	for d.lost != 0 && n < maxFrames {
		p := m.pieces.At(d.lost)
		a, rest := d.out.view(int(p.offset-d.base), int(p.length))
		f := frame.StreamData{StreamID: uint64(s.id), Offset: p.offset, Data: a}
		if len(b)+f.LenWith(rest) > limit {
			return b, n, list
		}
		b = f.AppendWith(b, rest)
		n++
		i := d.lost
		d.lost = p.nextLost
		if d.lost == 0 {
			d.lostLast = 0
		}
		p.nextLost, p.nextSlot = 0, list
		s.refs++
		list = i
	}
	for n < maxFrames && d.next < d.end() {
		size := frame.MaxStreamData(uint64(s.id), d.next, limit-headerGrowth-len(b))
		size = int(min(uint64(max(size, 0)), d.end()-d.next, m.plant.window(floor64(m.windowRemote(s), d.next)), floor64(c.maxDataRemote, cold.dataOut)))
		if size <= 0 {
			break
		}
		i, p, ok := m.pieces.Alloc()
		if !ok {
			break
		}
		*p = piece{stream: k, offset: d.next, length: uint32(size), nextSlot: list}
		a, rest := d.out.view(int(d.next-d.base), size)
		b = frame.StreamData{StreamID: uint64(s.id), Offset: d.next, Data: a}.AppendWith(b, rest)
		n++
		s.refs++
		list = i
		if d.last != 0 {
			m.pieces.At(d.last).next = i
		} else {
			d.first = i
		}
		d.last = i
		d.next += uint64(size)
		cold.dataOut += uint64(size)
	}
	m.noteDataBlocked(c, s, d)
	if d.next == d.end() && s.flags.has(streamWriteWait) {
		m.growBuffer(c, k, s, d)
	}
	return b, n, list
}

func floor64(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// piecesArrived takes the pieces of a packet that the peer has applied.
func (m *Machine) piecesArrived(i uint32) {
	for i != 0 {
		p := m.pieces.At(i)
		next := p.nextSlot
		s := m.streams.At(p.stream)
		k := p.stream
		p.nextSlot, p.done = 0, true
		m.advance(k, s, m.data.At(s.data))
		m.unrefStream(k)
		i = next
	}
}

// advance drops what has arrived from the front of the send buffer.
func (m *Machine) advance(k uint32, s *streamRec, d *dataState) {
	n := 0
	for d.first != 0 && m.pieces.At(d.first).done {
		i := d.first
		p := m.pieces.At(i)
		n += int(p.length)
		d.first = p.next
		*p = piece{}
		m.pieces.Free(i)
	}
	if d.first == 0 {
		d.last = 0
	}
	if n == 0 {
		return
	}
	d.base += uint64(n)
	m.drainRing(outRing(s.data), n)
	if s.flags.has(streamWriteWait) {
		s.flags &^= streamWriteWait
		m.streamEvent(EventWritable, s)
	}
}

// piecesLost takes the pieces of a packet that may not have arrived: they go
// out again.
func (m *Machine) piecesLost(i uint32) {
	for i != 0 {
		p := m.pieces.At(i)
		next := p.nextSlot
		s := m.streams.At(p.stream)
		k := p.stream
		p.nextSlot = 0
		if !s.flags.has(streamClosed) {
			d := m.data.At(s.data)
			if d.lostLast != 0 {
				m.pieces.At(d.lostLast).nextLost = i
			} else {
				d.lost = i
			}
			d.lostLast = i
		} else {
			p.done = true
			m.advance(k, s, m.data.At(s.data))
		}
		m.unrefStream(k)
		i = next
	}
}

// dropOutgoing forgets what a closed stream had yet to send. Pieces in flight
// are freed as their packets are answered.
func (m *Machine) dropOutgoing(s *streamRec) {
	if s.data == 0 {
		return
	}
	d := m.data.At(s.data)
	for i := d.lost; i != 0; {
		p := m.pieces.At(i)
		next := p.nextLost
		p.nextLost, p.done = 0, true
		i = next
	}
	d.lost, d.lostLast = 0, 0
}

// shrinkData gives back the memory that a sleeping stream does not need.
func (m *Machine) shrinkData(s *streamRec) {
	if s.data == 0 {
		return
	}
	m.tightenRing(inRing(s.data))
	m.tightenRing(outRing(s.data))
	m.wakeWriters()
}

// freeData gives back everything of a stream's data. No packet in flight names
// its pieces any more.
func (m *Machine) freeData(s *streamRec) {
	if s.data == 0 {
		return
	}
	d := m.data.At(s.data)
	for i := d.first; i != 0; {
		next := m.pieces.At(i).next
		*m.pieces.At(i) = piece{}
		m.pieces.Free(i)
		i = next
	}
	m.freeRing(inRing(s.data))
	m.freeRing(outRing(s.data))
	m.wakeWriters()
	if c := m.conns.At(s.conn); d.high > d.read {
		m.ownCold(c).dataRead += d.high - d.read // nobody reads it any more
		if !c.flags.has(flagClosed) {
			c.flags |= flagTellMaxData
		}
	}
	*d = dataState{}
	m.data.Free(s.data)
	s.data = 0
}
