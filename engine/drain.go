package engine

import (
	"errors"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// serverRef is a server in a shard's table, by its number.
type serverRef struct {
	srv  *Server
	door uint32 // its Handler's, or 0
}

// setServer enters a server of the machine.
func (s *shard) setServer(id stream.ServerID, srv *Server) {
	for int(id) >= len(s.servers) {
		s.servers = append(s.servers, serverRef{})
	}
	s.servers[id].srv = srv
	if srv.handler != nil {
		s.servers[id].door = s.openDoor(door{handler: srv.handler, server: srv, should: srv.should})
	}
}

// openDoor opens a door, with one user.
func (s *shard) openDoor(d door) uint32 {
	i, p, _ := s.doors.Alloc() // no more than handles
	*p = d
	p.users = 1
	return i
}

// leaveDoor takes one user of a door away. The last one closes it.
func (s *shard) leaveDoor(i uint32) {
	d := s.doors.At(i)
	if d.users--; d.users == 0 {
		*d = door{}
		s.doors.Free(i)
	}
}

// own says at which door a connection's events are told.
func (s *shard) own(h stream.ConnHandle, door uint32) {
	i := uint32(h)
	for int(i>>ownerShift) >= len(s.owners) {
		s.owners = append(s.owners, new([1 << ownerShift]owner))
	}
	*s.ownerAt(i) = owner{slab.Handle(h).Generation(), door}
	s.live.Add(1)
	s.doors.At(door).users++
}

// ownAlone opens a door for one connection.
func (s *shard) ownAlone(h stream.ConnHandle, d door) {
	i := s.openDoor(d)
	s.own(h, i)
	s.leaveDoor(i)
}

// doorOf is the number of the door at which a connection's events are told, or 0.
func (s *shard) doorOf(h stream.ConnHandle) uint32 {
	if i := uint32(h); int(i>>ownerShift) < len(s.owners) && h != 0 {
		if o := s.ownerAt(i); o.generation == slab.Handle(h).Generation() {
			return o.door
		}
	}
	return 0
}

// ownerShift: owners come in segments, so that nothing of the size of all connections is
// ever copied.
const ownerShift = 8

func (s *shard) ownerAt(i uint32) *owner { return &s.owners[i>>ownerShift][i&(1<<ownerShift-1)] }

// forget drops a connection that is over.
func (s *shard) forget(h stream.ConnHandle) {
	i := s.doorOf(h)
	if i == 0 {
		return
	}
	s.live.Add(-1)
	if d := s.doors.At(i); d.server != nil {
		d.server.ended()
	}
	*s.ownerAt(uint32(h)) = owner{}
	s.leaveDoor(i)
}

// drain tells everybody what happened, and says whether anything did. Events of
// one Handler that follow each other are told in one call.
func (s *shard) drain() bool {
	if s.inHandler {
		return false // the drain that called the Handler goes on
	}
	some := false
	for {
		events := s.m.PollEvents(s.events[:0])
		if len(events) == 0 {
			return some
		}
		some = true
		from, door := 0, uint32(0)
		for i := range events {
			if i+ownersAhead < len(events) {
				s.prefetchOwner(events[i+ownersAhead].Conn)
			}
			next := s.route(&events[i])
			if next == door {
				continue
			}
			if door != 0 {
				s.callHandler(door, events[from:i])
			}
			from, door = i, next
		}
		if door != 0 {
			s.callHandler(door, events[from:])
		}
	}
}

// ownersAhead is how many events before its turn an event's owner is asked for.
const ownersAhead = 8

func (s *shard) prefetchOwner(h stream.ConnHandle) {
	if i := uint32(h); int(i>>ownerShift) < len(s.owners) {
		slab.Prefetch(unsafe.Pointer(s.ownerAt(i)), 1)
	}
}

// maxRun bounds the events of one call of a Handler.
const maxRun = 1024

// route tells an event to the blocking door, or answers at which Handler's door it is to
// be told.
func (s *shard) route(e *stream.Event) uint32 {
	switch e.Kind {
	case stream.EventLinkConfigured, stream.EventLinkRefused:
		if p := s.port(e.Link); p != nil && p.dialed != nil {
			if e.Kind == stream.EventLinkConfigured {
				p.dialed.isConfigured(p)
			} else {
				p.dialed.refused(ErrLinkRefused)
			}
		}
		return 0
	case stream.EventAccepted:
		server := s.m.ConnServer(e.Conn)
		if server == 0 || int(server) >= len(s.servers) {
			return 0
		}
		s.accepted(e.Conn, s.servers[server])
	}
	i := s.doorOf(e.Conn)
	if i == 0 {
		return 0
	}
	switch d := s.doors.At(i); {
	case e.Kind == stream.EventHold && d.should != nil:
		s.decide(d.should, e.Hold)
	case d.handler != nil:
		return i
	default:
		s.tellConn(d.state, e)
	}
	return 0
}

// tellConn is the blocking door's side of an event.
func (s *shard) tellConn(c *connState, e *stream.Event) {
	switch e.Kind {
	case stream.EventAccepted, stream.EventPeerAddress:
		c.refresh()
	case stream.EventConnected:
		c.refresh()
		c.change(func() { c.connected = true })
	case stream.EventStreamOpened:
		st := s.newStreamState(c, e.Stream)
		st.offered = true
		if !c.offer(st) {
			_ = s.m.CloseStream(s.now(), e.Stream)
		}
	case stream.EventHalfExhausted:
		s.e.log.Warn("a connection has used up half of its 2^31 packets", "peer", string(c.peer()))
	case stream.EventMoneyReceived, stream.EventMoneySent, stream.EventTotalSent, stream.EventReceiveLimit, stream.EventUndeliverable,
		stream.EventUnsettled:
		if st := s.stream(e.Stream); st != nil {
			st.refresh()
		}
	case stream.EventReadable:
		if st := s.stream(e.Stream); st != nil {
			st.readable()
		}
	case stream.EventWritable:
		if st := s.stream(e.Stream); st != nil {
			st.writable()
		}
	case stream.EventStreamClosed:
		if st := s.stream(e.Stream); st != nil {
			s.endStream(st, e.Code, e.Remote)
		}
		s.releaseStream(e.Stream)
	case stream.EventSettled:
		s.settled(c, e)
	case stream.EventClosed:
		s.endConn(c, e)
	}
}

// releaseStream lets a closed stream go, unless money of it is in flight: then
// EventSettled comes.
func (s *shard) releaseStream(h stream.StreamHandle) {
	if info, ok := s.m.StreamInfo(h); ok && info.Held == 0 {
		s.m.ReleaseStream(h)
	}
}

// releaseConn is the same for a connection.
func (s *shard) releaseConn(h stream.ConnHandle) {
	if info, ok := s.m.ConnInfo(h); ok && info.Held == 0 {
		s.forget(h)
		s.m.ReleaseConn(h)
	}
}

// settled takes the final totals of what was closed with money in flight. c is
// nil at the door on the loop.
func (s *shard) settled(c *connState, e *stream.Event) {
	if e.Stream == 0 {
		if c != nil {
			c.refresh()
		}
		s.releaseConn(e.Conn)
		return
	}
	if st := s.stream(e.Stream); st != nil {
		st.refresh()
		s.streams[uint32(e.Stream)] = nil
	}
	s.m.ReleaseStream(e.Stream)
}

// endStream takes what a stream still holds, before its record goes. Nobody may ever
// accept a peer's stream: beyond maxUnaccepted what it holds is dropped, and a reader told.
func (s *shard) endStream(st *streamState, code errorCode, remote bool) {
	var rest []byte
	var end error
	message := ""
	if had, _ := s.m.StreamInfo(st.h); st.hold(had.Readable) {
		rest = make([]byte, had.Readable+1) // the one more tells whether that is all
		n, _ := s.m.Read(s.now(), st.h, rest)
		_, end = s.m.Read(s.now(), st.h, rest[n:])
		rest = rest[:n]
	} else {
		message = "too many octets of streams that nobody accepts"
		code = frame.InternalError
	}
	if code == frame.NoError && errors.Is(end, stream.ErrClosed) {
		// A reader must not take what is there for all.
		code, message = frame.InternalError, "closed before all octets had arrived"
	}
	info, ok := s.m.StreamInfo(st.h)
	if info.Held == 0 {
		s.streams[uint32(st.h)] = nil
	}
	if message == "" {
		message = info.CloseMessage
	}
	st.end(rest, info, ok, &CloseError{Code: code, Message: message, Remote: remote})
}

// endConn ends the blocking door's object of a connection, and its streams.
func (s *shard) endConn(c *connState, e *stream.Event) {
	closed := &CloseError{Code: e.Code, Remote: e.Remote}
	if info, ok := s.m.ConnInfo(e.Conn); ok {
		closed.Message, closed.exhausted = string(info.CloseMessage), info.Exhausted
	}
	s.handles = s.m.Streams(e.Conn, s.handles[:0])
	for _, h := range s.handles {
		if st := s.stream(h); st != nil {
			s.endStream(st, e.Code, e.Remote)
		}
	}
	c.refresh()
	s.releaseConn(e.Conn)
	c.end(closed)
}

// closeConnections begins to close the connections of one segment of owners, so that the
// loop serves its links in between, and says whether there are further ones.
func (s *shard) closeConnections(k int) (more bool) {
	if k >= len(s.owners) {
		return false
	}
	for i := range s.owners[k] {
		if o := &s.owners[k][i]; o.door != 0 {
			h := slab.MakeHandle(uint32(k)<<ownerShift+uint32(i), o.generation)
			_ = s.m.CloseConn(s.now(), stream.ConnHandle(h))
		}
	}
	return k+1 < len(s.owners)
}
