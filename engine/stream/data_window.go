package stream

// How much of a stream waits at either end: the receiver's windows, which the sender
// is told, and the sender's buffer. They begin small, for most streams carry little,
// and grow as far as options say where readers are quick and paths are long.

// growWindow is how quickly half a window must be used up for it to grow: less
// than two round trips of a long path.
const growWindow = 400e6

// growShare is the share of Config.MaxBuffered that no window outgrows, and beyond
// which none grows.
const growShare = 4

// growTo is how far a window or buffer may grow: as options say, as memory bears.
func (m *Machine) growTo(most int) int {
	if m.buffered > m.cfg.MaxBuffered/growShare {
		return 0
	}
	return min(most, m.cfg.MaxBuffered/growShare)
}

// windowEnd is how far the peer may send on a stream.
func (m *Machine) windowEnd(c *conn, s *streamRec) uint64 {
	if s.data == 0 {
		return uint64(m.optionsOf(c).StreamWindow)
	}
	d := m.data.At(s.data)
	d.told = d.read + d.window
	return d.told
}

// usualStreamWindow is what a peer with the same options tells of a stream.
const usualStreamWindow = 64 << 10

// windowRemote is how far the peer lets us send on a stream.
func (m *Machine) windowRemote(s *streamRec) uint64 {
	switch end := m.coldStreamOf(s).maxDataRemote; {
	case end != 0:
		return end
	case s.flags.has(streamUsualWindow):
		return usualStreamWindow
	}
	return assumedStreamWindow
}

// raiseWindow takes what the peer tells, which rises.
func (m *Machine) raiseWindow(s *streamRec, end uint64) {
	if end <= m.windowRemote(s) {
		return
	}
	s.flags &^= streamTellDataBlocked | streamToldDataBlocked
	if end == usualStreamWindow && m.coldStreamOf(s).maxDataRemote == 0 {
		s.flags |= streamUsualWindow
	} else {
		m.ownColdStream(s).maxDataRemote = end
	}
}

// opened tells the peer of a window that reading has opened, once half of it
// is new.
func (m *Machine) opened(s *streamRec, d *dataState, n uint64) {
	c := m.conns.At(s.conn)
	cold := m.ownCold(c)
	cold.dataRead += n
	if c.flags.has(flagClosed) {
		return
	}
	if s.flags&streamClosed == 0 {
		if d.read-d.mark >= d.window/2 {
			m.growWindow(c, d)
		}
		if d.read+d.window-d.told >= d.window/2 {
			s.flags |= streamTellMaxData
			c.flags |= flagDirtyStreams
		}
	}
	if end := cold.dataRead + cold.dataWindow; end > cold.maxDataLocal && end-cold.maxDataLocal >= cold.dataWindow/2 {
		c.flags |= flagTellMaxData | flagUrgent
	}
	m.wakeConn(s.conn, c)
}

// growWindow doubles the window of a stream whose reader used up half of it soon and
// has little left: such a one is held up by the window, and not the other way round.
// The connection's window grows by as much.
func (m *Machine) growWindow(c *conn, d *dataState) {
	o := m.optionsOf(c)
	most := uint64(m.growTo(o.MaxStreamWindow))
	if d.window < most && m.now-d.renewed < growWindow && d.have-d.read <= d.window/4 {
		more := min(d.window, most-d.window)
		d.window += more
		cold := m.ownCold(c)
		cold.dataWindow = max(cold.dataWindow, min(cold.dataWindow+more, uint64(m.growTo(o.MaxConnectionWindow))))
	}
	d.mark, d.renewed = d.read, m.now
}

// growBuffer doubles the buffer of a stream that has sent all it holds while its
// application waits to write more and nothing queues on the path. It does so once a
// round trip.
func (m *Machine) growBuffer(c *conn, k uint32, s *streamRec, d *dataState) {
	most := m.growTo(m.optionsOf(c).MaxSendBuffer)
	if d.room >= most || !c.window.calm || m.now-d.grew < c.window.base {
		return
	}
	d.room, d.grew = min(2*d.room, most), m.now
	s.flags &^= streamWriteWait
	m.streamEvent(EventWritable, k, s)
}

// unbuffer gives room back to all streams together, and wakes those that wait for
// it with nothing of their own on its way.
func (m *Machine) unbuffer(n int) {
	m.buffered -= n
	if len(m.writers) == 0 || m.buffered > m.cfg.MaxBuffered-m.cfg.MaxBuffered/8 {
		return
	}
	for _, h := range m.writers {
		if s, ok := m.streams.Get(h); ok && s.flags.has(streamWriteWait) {
			s.flags &^= streamWriteWait
			m.streamEvent(EventWritable, h.Index(), s)
		}
	}
	m.writers = m.writers[:0]
}
