package stream

import "github.com/millrace-ilp/millrace/pool/slab"

// A handle names a connection or a stream wherever its record is: machine-wide tables lead
// from one to the other. Inside of the machine records name each other by their index.

func (m *Machine) connHandle(c *conn) ConnHandle {
	return ConnHandle(m.connPlaces.Handle(c.self))
}

func (m *Machine) streamHandle(s *streamRec) StreamHandle {
	return StreamHandle(m.streamPlaces.Handle(s.self))
}

// connOf is the connection of a handle, or false when it is no more.
func (m *Machine) connOf(h ConnHandle) (uint32, *conn, bool) {
	i, ok := m.connPlaces.Get(slab.Handle(h))
	if !ok {
		return 0, nil, false
	}
	return i, m.conns.At(i), true
}

// streamOf is the same of a stream.
func (m *Machine) streamOf(h StreamHandle) (uint32, *streamRec, bool) {
	i, ok := m.streamPlaces.Get(slab.Handle(h))
	if !ok {
		return 0, nil, false
	}
	return i, m.streams.At(i), true
}
