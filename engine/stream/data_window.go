package stream

// How much of a stream waits at either end: the receiver's windows, which the sender
// is told, and the sender's buffer. They begin small, for most streams carry little,
// and grow as far as options say where readers are quick and paths are long.

// grower finds out how large a receiver's window has to be, as TCP's receivers do
// (dynamic right-sizing): twice what the reader takes in one round trip.
type grower struct {
	mark  uint64  // what was read when the present spell began
	began Instant // when that was
	// A receiver sees a round trip when it raises the window's end: what lies beyond
	// the old end is sent by a peer that was told of the new one.
	edge    uint64  // the old end; 0 while nothing is timed
	raised  Instant // when it was raised
	blocked bool    // since then the peer has said that its window holds it up
	trip    Instant // the round trip; 0 until one was seen
}

const (
	// leastSpell is the least time over which a reader is watched: where round trips
	// are shorter, what goes on at the ends takes longer than they do.
	leastSpell = 4e6
	// longestSpell is the longest.
	longestSpell = 2e9
)

// raise notes that the peer is told of a new end of its window instead of the old.
func (g *grower) raise(now Instant, old, end uint64) {
	if g.edge == 0 && end > old {
		g.edge, g.raised = old, now
	}
}

// arrived notes octets up to end. The shortest round trip counts, for a peer may have
// had nothing to send; when it had, the path may have become longer.
func (g *grower) arrived(now Instant, end uint64) {
	if g.edge == 0 || end <= g.edge {
		return
	}
	g.edge = 0
	if trip := now - g.raised; g.trip == 0 || trip < g.trip {
		g.trip = trip
	} else if g.blocked {
		g.trip += (trip - g.trip) / 8
	}
	g.blocked = false
}

// took notes that the reader took n octets and is now at read, and answers the window
// that this speed needs.
func (g *grower) took(now Instant, n, read uint64) uint64 {
	if now-g.began >= min(max(g.trip, leastSpell), longestSpell) {
		g.mark, g.began = read-n, now
	}
	return 2 * (read - g.mark)
}

// growShare is the share of Config.MaxBuffered that no window outgrows, and beyond
// which none grows: when one does, twice its octets, which its ring may take, fit.
const growShare = 4

// growTo is how far a window or buffer may grow: as options say, as memory bears.
func (m *Machine) growTo(most int) int {
	if m.rings.held() > m.cfg.MaxBuffered/growShare {
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
	end := d.read + d.window
	d.grower.raise(m.now, d.told, end)
	d.told = end
	return end
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
		if wanted := d.grower.took(m.now, n, d.read); wanted > d.window && d.have-d.read <= d.window/4 {
			m.growWindow(c, d, wanted)
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

// growWindow grows a stream's window as far as it may, and the connection's by as
// much. It is for a reader with little left: one that has much is not held up by the
// window, but the other way round.
func (m *Machine) growWindow(c *conn, d *dataState, wanted uint64) {
	o := m.optionsOf(c)
	if wanted = min(wanted, uint64(m.growTo(o.MaxStreamWindow))); wanted <= d.window {
		return
	}
	more := wanted - d.window
	d.window = wanted
	cold := m.ownCold(c)
	cold.dataWindow = max(cold.dataWindow, min(cold.dataWindow+more, uint64(m.growTo(o.MaxConnectionWindow))))
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
	m.streamEvent(EventWritable, s)
}
