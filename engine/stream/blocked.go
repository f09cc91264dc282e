package stream

import "github.com/millrace-ilp/millrace/codec/frame"

// The blocked frames tell the other end which of its limits holds us up
// (IL-RFC 0029 §5.3.4, §5.3.6, §5.3.10, §5.3.13). Each goes out once until the
// limit rises, and again when the packet that carried it was lost. A few times more
// it is repeated, less and less often: the news of a higher limit may have been
// lost, or the peer may not know where to send it.

// noteMoneyBlocked marks a stream whose money the peer's receive maximum holds
// up altogether.
func (m *Machine) noteMoneyBlocked(s *streamRec) {
	if s.flags.has(streamToldBlocked|streamClosed|streamRemoteClosed) || !s.flags.has(streamRemoteLimit) {
		return
	}
	if s.sendMax > satAdd(s.sent, s.heldOut) && s.remoteMax <= satAdd(s.remoteReceived, s.heldDest) {
		s.flags |= streamTellBlocked | streamToldBlocked
		m.conns.At(s.conn).flags |= flagDirtyStreams
		m.asked(s.conn, m.conns.At(s.conn))
	}
}

// noteDataBlocked marks a stream or its connection when octets wait behind the
// peer's window.
func (m *Machine) noteDataBlocked(c *conn, s *streamRec, d *dataState) {
	if d.next == d.end() {
		return
	}
	if d.next >= m.windowRemote(s) && !s.flags.has(streamToldDataBlocked) {
		s.flags |= streamTellDataBlocked | streamToldDataBlocked
		c.flags |= flagDirtyStreams
		m.asked(s.conn, c)
	}
	if m.coldOf(c).dataOut >= c.maxDataRemote && !c.flags.has(flagToldBlocked) {
		c.flags |= flagTellBlocked | flagToldBlocked
		m.asked(s.conn, c)
	}
}

// The first repetition of blocked frames, the longest pause between two, and how
// many there are: long enough for an application to raise a limit, and an end to
// what keeps an idle connection awake.
const (
	firstAsk = 1_000_000_000
	maxAsk   = 10_000_000_000
	maxAsks  = 20
)

// asked plans the next repetition.
func (m *Machine) asked(i uint32, c *conn) {
	cold := m.ownCold(c)
	if cold.askAt > m.now {
		return
	}
	cold.asks, cold.askAt = 0, m.now+firstAsk
	m.armConn(i, c)
}

// askAgain repeats what is blocked still.
func (m *Machine) askAgain(c *conn) {
	cold := m.ownCold(c)
	cold.askAt = 0
	blocked := c.flags.has(flagToldBlocked)
	if blocked {
		c.flags |= flagTellBlocked
	}
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		s := m.streams.At(k)
		if s.flags.has(streamClosed | streamRemoteClosed) {
			continue
		}
		if s.flags.has(streamToldBlocked) {
			s.flags |= streamTellBlocked
		}
		if s.flags.has(streamToldDataBlocked) {
			s.flags |= streamTellDataBlocked
		}
		if s.flags.has(streamToldBlocked | streamToldDataBlocked) {
			c.flags |= flagDirtyStreams
			blocked = true
		}
	}
	if cold.asks++; blocked && cold.asks < maxAsks {
		cold.askAt = m.now + min(Instant(firstAsk)<<min(cold.asks, 8), maxAsk)
	}
}

// appendBlocked appends the connection's blocked frames that are due.
func (m *Machine) appendBlocked(b []byte, n int, c *conn) ([]byte, int) {
	if c.flags.has(flagTellBlocked) {
		wanted := m.coldOf(c).dataOut
		for k := c.firstStream; k != 0; k = m.streams.At(k).next {
			if s := m.streams.At(k); s.data != 0 && !s.flags.has(streamClosed) {
				d := m.data.At(s.data)
				wanted += d.end() - d.next
			}
		}
		b = frame.ConnectionDataBlocked{MaxOffset: wanted}.Append(b)
		n++
	}
	if c.flags.has(flagTellIDBlocked) {
		b = frame.ConnectionStreamIDBlocked{MaxStreamID: uint64(c.nextStreamID)}.Append(b)
		n++
	}
	c.flags &^= flagTellBlocked | flagTellIDBlocked
	return b, n
}

// peerBlocked answers a blocked frame of the peer's by telling the limit again:
// the packet that told it may have been lost.
func (m *Machine) peerBlocked(i uint32, c *conn, t frame.Type, body []byte) {
	var id uint64
	var tell streamFlags
	switch t {
	case frame.TypeConnectionDataBlocked:
		c.flags |= flagTellMaxData
		return
	case frame.TypeConnectionStreamIDBlocked:
		c.flags |= flagTellLimit
		return
	case frame.TypeStreamMoneyBlocked:
		f, _ := frame.ParseStreamMoneyBlocked(body)
		id, tell = f.StreamID, streamTellMaxMoney
	case frame.TypeStreamDataBlocked:
		f, _ := frame.ParseStreamDataBlocked(body)
		id, tell = f.StreamID, streamTellMaxData
	default:
		return
	}
	if s := m.findStream(i, c, id); s != 0 && !m.streams.At(s).flags.has(streamClosed|streamRemoteClosed) {
		rec := m.streams.At(s)
		rec.flags |= tell
		c.flags |= flagDirtyStreams
		if t == frame.TypeStreamDataBlocked && rec.data != 0 {
			m.data.At(rec.data).grower.blocked = true
		}
	}
}
