package engine

import (
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/pool/slab"
	"github.com/millrace-ilp/millrace/transport"
)

// shard is one event loop with its machine. Everything but the inbox and the
// fields said otherwise belongs to the loop's goroutine. It is the loop's
// transport.Handler and the machine's stream.Output.
type shard struct {
	e      *Engine
	index  int
	loop   *transport.Loop
	m      *stream.Machine
	onLoop OnLoop

	ports   []*port // by index of the machine's link
	proxies map[proxyKey]stream.LinkHandle
	entries []stream.Entry
	events  []stream.Event
	pending []*port // their attached output waits to be sent

	owners  []*[1 << ownerShift]owner // by index of the connection
	doors   *slab.Slab[door]
	servers []serverRef    // by number
	streams []*streamState // by index of the stream
	handles []stream.StreamHandle

	destination []byte // of a connection that is opened

	later     []func(*OnLoop) // by OnLoop.Later
	running   *call           // that Wake is in
	inHandler bool
	stopped   bool
	seededAt  stream.Instant // see reseed
	inbox     inbox
	live      atomic.Int64 // connections
	// unaccepted is how many octets wait in streams that have ended before anybody
	// accepted them. Any goroutine.
	unaccepted atomic.Int64
	dead       chan struct{}
	deadOnce   sync.Once
	decider    decider
	committer  committer
}

// owner says at which door a connection's events are told.
type owner struct {
	generation uint32 // of the connection's handle
	door       uint32
}

// door is where events are told: a Handler's, for all connections that it was given at
// once, or the blocking door of one connection.
type door struct {
	handler Handler
	state   *connState // of the blocking door
	server  *Server    // that its connections came in at, or nil
	should  ShouldFulfill
	users   int // connections, and who may give it more
}

func newShard(e *Engine, index int, hashSeed [2]uint64) (*shard, error) {
	s := &shard{
		e: e, index: index,
		ports:   make([]*port, 1),
		proxies: make(map[proxyKey]stream.LinkHandle),
		entries: make([]stream.Entry, 0, stream.MaxVector),
		events:  make([]stream.Event, 0, maxRun),
		doors:   slab.New[door](math.MaxInt32),
		dead:    make(chan struct{}),
	}
	s.onLoop.s = s
	s.inbox.init()
	cfg := e.cfg.Machine
	cfg.Shard, cfg.HashSeed, cfg.Directory = index, hashSeed, nil
	if e.directory != nil {
		cfg.Directory = e.directory
	}
	if cfg.Memory == nil && cfg.Awake == nil && cfg.Asleep == nil {
		memory, awake := stream.Footprint(e.cfg.reservePerLoop())
		var there, too bool
		cfg.Memory, there = newMemory(memory)
		cfg.Awake, too = newLender(awake)
		cfg.Asleep, _ = newLender(0)
		if !there || !too {
			return nil, fmt.Errorf("%w: the system has no memory for Reserve %d", ErrConfig, e.cfg.Reserve)
		}
	}
	_, _ = rand.Read(cfg.Seed[:]) // never fails
	if s.committer.ledger = e.cfg.Ledger; e.cfg.Ledger != nil {
		cfg.Ledger = true
		s.committer.batches = make(chan []stream.Credit, 1)
	}
	s.decider.slots = make(chan struct{}, maxDeciding)
	s.m = stream.New(cfg)
	return s, nil
}

func (s *shard) now() stream.Instant { return stream.Instant(s.loop.Now()) }

// Packets takes one vector of a link.
func (s *shard) Packets(l *transport.Link, in []transport.Packet) {
	p := s.portOf(l)
	if p == nil {
		return
	}
	defer s.guard()
	s.reseed()
	entries := slices.Grow(s.entries[:0], len(in))[:len(in)]
	for i := range in {
		q, e := &in[i], &entries[i]
		switch q.Kind {
		case transport.Request:
			e.Kind = stream.Prepare
		case transport.Response:
			e.Kind = answerKind(q.ILP)
		default:
			e.Kind = stream.Failure
		}
		e.Link, e.Request, e.Packet = p.handle, q.ID, q.ILP
		if e.Kind == stream.Failure {
			e.Packet = nil
		}
	}
	s.m.Handle(s.now(), entries, s)
	// They are not cleared: the octets are the loop's read buffer, most of them.
	s.entries = entries[:0]
	s.settle(p)
}

// answerKind is what an answer to a request of ours is.
func answerKind(packet []byte) stream.Kind {
	switch ilp.PeekType(packet) {
	case ilp.TypeFulfill:
		return stream.Fulfill
	case ilp.TypeReject:
		return stream.Reject
	}
	return stream.Failure
}

// Wake runs what waits in the inbox and what has come due.
func (s *shard) Wake() {
	if s.stopped {
		s.inbox.fail()
		return
	}
	defer s.guard()
	s.reseed()
	calls, crossed, delivered := s.inbox.take()
	for i := range crossed {
		s.takeCrossing(&crossed[i])
	}
	for i := range delivered {
		s.takeDelivery(&delivered[i])
	}
	for i, c := range calls {
		calls[i], s.running = nil, c
		c.f()
		s.running = nil
		if !c.held {
			c.finish(nil)
		}
		if s.stopped {
			return // stop has failed the others
		}
	}
	s.inbox.putBack(calls, crossed, delivered)
	for n := len(s.later); n > 0; n-- { // those that they add have another turn
		f := s.later[0]
		s.later = slices.Delete(s.later, 0, 1)
		f(&s.onLoop)
	}
	if at, ok := s.m.NextTimeout(); ok && at <= s.now() {
		s.m.HandleTimeout(s.now(), s)
	}
	s.settle(nil)
}

// settle tells what happened, sends what can be sent, and asks to be woken when
// the machine wants to be.
func (s *shard) settle(p *port) {
	s.reseed()
	if p != nil {
		s.transmit(p)
	}
	for again := true; again; {
		again = s.drain()
		for {
			h, ok := s.m.PollReady()
			if !ok {
				break
			}
			if q := s.port(h); q != nil && s.transmit(q) {
				again = true
				if p == nil && q.link != nil {
					q.link.Flush() // its other end can begin while we serve further links
				}
			}
		}
		s.flush()
	}
	s.stage()
	if at, ok := s.m.NextTimeout(); ok {
		s.loop.WakeAt(int64(at))
	}
}

// seedFor is how long a seed of the generator of IVs is good for, in nanoseconds.
const seedFor = 1e9

// reseed gives the machine a new seed if it has the last one for long, used or not. It
// comes before anything is sealed: a process that was resumed from a snapshot mostly
// finds that time has passed.
func (s *shard) reseed() {
	now := s.now()
	if elapsed := now - s.seededAt; elapsed >= 0 && elapsed < seedFor {
		return
	}
	var seed [48]byte
	_, _ = rand.Read(seed[:]) // never fails
	s.m.Reseed(&seed)
	clear(seed[:])
	s.seededAt = now
}

// transmit sends what a link's window and output allow, and says whether that
// was anything.
func (s *shard) transmit(p *port) bool {
	if s.m.LinkIdle(p.handle) {
		return false
	}
	return s.m.Transmit(s.now(), p.handle, s) > 0
}

// guard stops the shard when a machine's invariant is broken: nothing more is
// released. The panic goes on, so that transport discards half-written output.
func (s *shard) guard() {
	r := recover()
	if r == nil {
		return
	}
	if s.running != nil {
		s.running.finish(ErrEngineClosed)
		s.running = nil
	}
	s.stop(fmt.Errorf("engine: shard %d stopped: %v", s.index, r))
	panic(r)
}

// stop ends the shard: links close and every call fails.
func (s *shard) stop(err error) {
	s.stopped = true
	s.e.fail(err)
	for _, p := range s.ports {
		if p != nil && p.link != nil {
			p.link.Close(err)
		}
	}
	s.die()
}

// die lets everybody go who waits for the shard. Any goroutine, once the loop
// does nothing more.
func (s *shard) die() {
	s.deadOnce.Do(func() { close(s.dead) })
	s.inbox.fail()
}

// call runs f on the loop and waits for it. Not to be called on a loop.
func (s *shard) call(f func()) error {
	c := newCall(f)
	if !s.inbox.push(c) {
		c.free()
		return ErrEngineClosed
	}
	s.loop.Wake()
	return c.wait()
}
