package sim

import "github.com/millrace-ilp/millrace/engine/stream"

// message is one packet on its way over a link.
type message struct {
	kind    stream.Kind
	request uint32
	buf     []byte
	at      int64   // when it arrives
	packet  *packet // the oracle's record of the prepare it is or answers; nil for none
	clean   bool    // its data are as the end point wrote them
	text    []byte  // the plaintext of clean data; nil when there is none
	peer    int     // of the connector that emits it, for evEmit
	port    *port   // of the end point that writes it
}

// newMessage takes a message from the pool, with room for n octets.
func (w *World) newMessage(kind stream.Kind, request uint32, n int) *message {
	var m *message
	if k := len(w.pool); k > 0 {
		m = w.pool[k-1]
		w.pool = w.pool[:k-1]
	} else {
		m = new(message)
	}
	if cap(m.buf) < n {
		m.buf = make([]byte, n, max(n, 512))
	}
	*m = message{kind: kind, request: request, buf: m.buf[:n], text: m.text[:0]}
	return m
}

func (w *World) clone(m *message) *message {
	c := w.newMessage(m.kind, m.request, len(m.buf))
	copy(c.buf, m.buf)
	c.packet, c.clean, c.peer = m.packet, m.clean, m.peer
	c.text = append(c.text, m.text...)
	return c
}

func (w *World) free(m *message) {
	m.packet = nil
	w.pool = append(w.pool, m)
}

// pipe is one direction of a socket: first in, first out, after some latency.
type pipe struct {
	socket    *socket
	to        end
	q         []*message
	head      int
	last      int64 // nothing that is written later arrives before
	scheduled bool
}

// end is who is at an end of a socket: a node, or a connector's peer.
type end struct {
	port *port
	k    *connector
	peer int
}

// socket is a link's connection between two ends. It is cut and comes back.
type socket struct {
	w       *World
	id      int
	up      bool
	swallow bool
	epoch   uint32
	latency int64
	jitter  int64
	stall   int64 // nothing is delivered before
	trickle int64 // ns from one message to the next, at least
	pipes   [2]pipe
	ends    [2]end
}

func (w *World) newSocket(a, b end, latency, jitter int64) *socket {
	s := &socket{w: w, id: len(w.sockets), up: true, latency: latency, jitter: jitter, ends: [2]end{a, b}}
	s.pipes[0] = pipe{socket: s, to: b}
	s.pipes[1] = pipe{socket: s, to: a}
	w.sockets = append(w.sockets, s)
	return s
}

// write hands a message to one end of the socket; side 0 is the first end.
func (s *socket) write(side int, m *message) {
	w := s.w
	if !s.up || s.swallow {
		if s.swallow {
			w.count[BlackHole]++
		}
		w.free(m)
		return
	}
	if w.faults.hits(Stall) {
		s.stall = w.now + between(w.faults.r, 1e8, 1e10)
	}
	p := &s.pipes[side]
	at := w.now + s.latency
	if s.jitter > 0 {
		at += w.net.Int64N(s.jitter)
	}
	if s.trickle > 0 {
		w.count[Trickle]++
		p.last += s.trickle
	}
	p.last = max(p.last, at, s.stall)
	m.at = p.last
	p.q = append(p.q, m)
	if !p.scheduled {
		p.scheduled = true
		w.schedule(m.at, evDeliver, int32(s.id), uint64(side), nil)
	}
}

// deliver hands over what has arrived at the end of a pipe, in a vector of
// random length.
func (s *socket) deliver(side int) {
	w := s.w
	p := &s.pipes[side]
	p.scheduled = false
	n := 0
	most := 1 + w.net.IntN(w.vector)
	for p.head+n < len(p.q) && n < most && p.q[p.head+n].at <= w.now {
		n++
	}
	batch := p.q[p.head : p.head+n]
	p.head += n
	if n > 0 {
		if at := p.to.port; at != nil {
			at.n.arrive(at, batch)
		} else {
			for _, m := range batch {
				p.to.k.arrive(p.to.peer, m)
			}
		}
	}
	if p.head == len(p.q) {
		p.q, p.head = p.q[:0], 0
		return
	}
	if !p.scheduled {
		p.scheduled = true
		w.schedule(max(p.q[p.head].at, w.now), evDeliver, int32(s.id), uint64(side), nil)
	}
}

// cut loses everything on the socket.
func (s *socket) cut() {
	if !s.up {
		return
	}
	s.up = false
	s.epoch++
	w := s.w
	for i := range s.pipes {
		p := &s.pipes[i]
		for _, m := range p.q[p.head:] {
			w.free(m)
		}
		p.q, p.head, p.last = p.q[:0], 0, 0
		if at := s.ends[i].port; at != nil {
			delay := int64(0)
			if w.faults.hits(LateNotice) {
				delay = between(w.faults.r, 1, 2e9)
			}
			w.schedule(w.now+delay, evLinkLost, int32(at.n.id), uint64(at.i), nil)
		}
	}
}

// restore brings the socket back.
func (s *socket) restore() {
	for _, x := range s.ends {
		if s.up || x.port != nil && x.port.n.down {
			return
		}
	}
	s.up, s.swallow, s.stall, s.trickle = true, false, 0, 0
	for i := range s.ends {
		if at := s.ends[i].port; at != nil {
			s.w.schedule(s.w.now, evLinkUp, int32(at.n.id), uint64(at.i), nil)
		}
	}
}
