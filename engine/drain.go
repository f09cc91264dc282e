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
	srv     *Server
	handler uint32
}

// setServer enters a server of the machine.
func (s *shard) setServer(id stream.ServerID, srv *Server) {
	for int(id) >= len(s.servers) {
		s.servers = append(s.servers, serverRef{})
	}
	s.servers[id].srv = srv
	if srv.handler != nil {
		s.servers[id].handler = s.holdHandler(srv.handler)
	}
}

// own says who is told of a connection's events.
func (s *shard) own(o owner) {
	i := uint32(o.conn)
	for int(i>>ownerShift) >= len(s.owners) {
		s.owners = append(s.owners, new([1 << ownerShift]owner))
	}
	*s.ownerAt(i) = o
	s.live.Add(1)
	if o.handler != 0 {
		s.handlers[o.handler-1].refs++
	}
}

func (s *shard) ownerOf(h stream.ConnHandle) *owner {
	if i := uint32(h); int(i>>ownerShift) < len(s.owners) && h != 0 {
		if o := s.ownerAt(i); o.conn == h {
			return o
		}
	}
	return nil
}

// ownerShift: owners come in segments, so that nothing of the size of all connections is
// ever copied.
const ownerShift = 8

func (s *shard) ownerAt(i uint32) *owner { return &s.owners[i>>ownerShift][i&(1<<ownerShift-1)] }

// forget drops a connection that is over.
func (s *shard) forget(h stream.ConnHandle) {
	o := s.ownerOf(h)
	if o == nil {
		return
	}
	s.live.Add(-1)
	if o.server != nil {
		o.server.ended()
	}
	handler := o.handler
	*o = owner{}
	if handler != 0 {
		s.dropHandler(handler)
	}
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
		from, handler := 0, uint32(0)
		for i := range events {
			if i+ownersAhead < len(events) {
				s.prefetchOwner(events[i+ownersAhead].Conn)
			}
			next := s.route(&events[i])
			if next == handler {
				continue
			}
			if handler != 0 {
				s.callHandler(handler, events[from:i])
			}
			from, handler = i, next
		}
		if handler != 0 {
			s.callHandler(handler, events[from:])
		}
	}
}

// ownersAhead is how many events before its turn an event's owner is asked for.
const ownersAhead = 8

func (s *shard) prefetchOwner(h stream.ConnHandle) {
	if i := uint32(h); int(i>>ownerShift) < len(s.owners) {
		slab.Prefetch(unsafe.Pointer(s.ownerAt(i)))
	}
}

// maxRun bounds the events of one call of a Handler.
const maxRun = 1024

// route tells an event to the blocking door, or answers which Handler is to be told.
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
		info, ok := s.m.ConnInfo(e.Conn)
		if !ok || int(info.Server) >= len(s.servers) {
			return 0
		}
		s.accepted(e.Conn, s.servers[info.Server])
	}
	o := s.ownerOf(e.Conn)
	switch {
	case o == nil:
		return 0
	case e.Kind == stream.EventHold && o.should != nil:
		s.decide(o.should, e.Hold)
		return 0
	case o.handler != 0:
		return o.handler
	}
	s.tellConn(o.state, e)
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

// closeConnections begins to close every connection.
func (s *shard) closeConnections() {
	for _, segment := range s.owners {
		for i := range segment {
			if h := segment[i].conn; h != 0 {
				_ = s.m.CloseConn(s.now(), h)
			}
		}
	}
}
