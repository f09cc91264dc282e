package stream

import "github.com/millrace-ilp/millrace/pool/slab"

// A handle names a connection or a stream wherever its record is: tables lead from one to
// the other. Inside of the machine records name each other by their index.

func (m *Machine) connHandle(c *conn) ConnHandle {
	return ConnHandle(slab.MakeHandle(c.self, c.generation))
}

func (m *Machine) streamHandle(s *streamRec) StreamHandle {
	return StreamHandle(m.streamPlaces.Handle(s.self))
}

// connOf is the connection of a handle, or false when it is no more. One that was folded
// is not from here on.
func (m *Machine) connOf(h ConnHandle) (uint32, *conn, bool) {
	i, ok := m.connPlaces.Get(slab.Handle(h))
	switch {
	case !ok:
		return 0, nil, false
	case i&foldedBit != 0:
		i, c := m.unfold(slab.Handle(h).Index())
		return i, c, true
	}
	return i, m.conns.At(i), true
}

// streamOf is the same of a stream.
func (m *Machine) streamOf(h StreamHandle) (uint32, *streamRec, bool) {
	i, ok := m.streamPlaces.Get(slab.Handle(h))
	if !ok {
		return 0, nil, false
	}
	if i&foldedBit != 0 {
		m.unfold(i &^ foldedBit)
		i = m.streamPlaces.At(slab.Handle(h).Index())
	}
	return i, m.streams.At(i), true
}

// lookAtConn is connOf for those who only look: they call lay afterwards, and what was
// folded is again.
func (m *Machine) lookAtConn(h ConnHandle) (c *conn, l laid, ok bool) {
	i, ok := m.connPlaces.Get(slab.Handle(h))
	switch {
	case !ok:
		return nil, laid{}, false
	case i&foldedBit != 0:
		i, c := m.layOpen(slab.Handle(h).Index())
		return c, laid{i, c}, true
	}
	return m.conns.At(i), laid{}, true
}

// lookAtStream is the same of a stream.
func (m *Machine) lookAtStream(h StreamHandle) (i uint32, s *streamRec, l laid, ok bool) {
	i, ok = m.streamPlaces.Get(slab.Handle(h))
	if !ok {
		return 0, nil, laid{}, false
	}
	if i&foldedBit != 0 {
		l.i, l.c = m.layOpen(i &^ foldedBit)
		i = m.streamPlaces.At(slab.Handle(h).Index())
	}
	return i, m.streams.At(i), l, true
}
