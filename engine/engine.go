package engine

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport"
)

// Engine runs the STREAM protocol over links, on one or more event loops. It is
// safe for concurrent use. Close it in the end.
type Engine struct {
	cfg       Config
	log       *slog.Logger
	loops     []*transport.Loop
	shards    []*shard
	directory *directory
	next      atomic.Uint32 // spreads links over loops

	mu        sync.Mutex
	closed    bool
	err       error
	dialed    map[*Link]struct{}
	listeners map[*Listener]struct{}
	accounts  map[string]uint32 // numbers of accounts that have a name of their own
	last      uint32            // account number given last
	timers    map[*time.Timer]struct{}
	final     *Stats

	servers sync.Mutex // held while a server is added to every shard
	once    sync.Once
	done    chan struct{}
	failed  chan struct{}  // closed when a shard was stopped
	commits sync.WaitGroup // goroutines that call the ledger
}

// New starts an engine. Errors: ErrConfig, ErrBackend where there is no gnet (set
// Config.StdNet), errors.ErrUnsupported where Config.CPUs is not for the system, those of
// the operating system, which a processor that is not allowed makes, too.
func New(cfg Config) (*Engine, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, log: cfg.Logger,
		dialed: make(map[*Link]struct{}), listeners: make(map[*Listener]struct{}),
		accounts: make(map[string]uint32), timers: make(map[*time.Timer]struct{}),
		done: make(chan struct{}), failed: make(chan struct{}),
	}
	if cfg.Loops > 1 {
		e.directory = newDirectory()
	}
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails
	hashSeed := [2]uint64{binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:])}
	for i := range cfg.Loops {
		s, err := newShard(e, i, hashSeed)
		if err != nil {
			return nil, err
		}
		e.shards = append(e.shards, s)
	}
	backend := transport.GNet
	if cfg.StdNet {
		backend = transport.StdNet
	}
	loops, err := transport.NewLoops(cfg.Loops, backend, transport.LoopConfig{Logger: cfg.Logger, CPUs: cfg.CPUs}, func(i int) transport.Handler {
		return e.shards[i]
	})
	if err != nil {
		return nil, err
	}
	e.loops = loops
	for i := range loops {
		e.shards[i].loop = loops[i]
		if cfg.Ledger != nil {
			e.commits.Go(e.shards[i].commitAll)
		}
	}
	return e, nil
}

// Err is why a shard was stopped: a broken invariant of its machine. Nil is the
// rule.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *Engine) fail(err error) {
	e.log.Error("shard stopped", "reason", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
		close(e.failed)
	}
}

// closingTime bounds the wait for connections to end by themselves.
const closingTime = 2 * time.Second

// Close ends the engine: listeners close, connections are closed and given up to
// two seconds, or as long as ctx allows, to tell their peers, then links and loops
// end. It returns ctx's error if links had to be cut off. Not to be called from a
// Handler.
func (e *Engine) Close(ctx context.Context) error {
	var err error
	e.once.Do(func() {
		defer close(e.done)
		e.mu.Lock()
		e.closed = true
		listeners, links := e.listeners, e.dialed
		e.listeners, e.dialed = nil, nil
		for t := range e.timers {
			t.Stop()
		}
		e.timers = nil
		e.mu.Unlock()
		for ln := range listeners {
			_ = ln.ln.Close()
		}
		e.closeConnections(ctx)
		final := e.Stats()
		var wg sync.WaitGroup
		for l := range links {
			if l.dialer != nil {
				wg.Go(func() { _ = l.dialer.Close() })
			}
		}
		err = transport.CloseLoops(ctx, e.loops)
		wg.Wait()
		e.mu.Lock()
		e.final = &final
		e.mu.Unlock()
		for _, s := range e.shards {
			s.die()
		}
		e.commits.Wait() // so that a ledger can be closed
	})
	<-e.done
	return err
}

func (e *Engine) closeConnections(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closingTime)
	defer cancel()
	for _, s := range e.shards {
		for k, more := 0, true; more && ctx.Err() == nil; k++ {
			if s.call(func() { more = s.closeConnections(k) }) != nil {
				break
			}
		}
	}
	for _, s := range e.shards {
		for s.live.Load() > 0 && ctx.Err() == nil && e.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	}
}

// shardFor chooses the loop of a new link: number loop, from 1, or the next one.
func (e *Engine) shardFor(loop int) (*shard, error) {
	switch {
	case loop > len(e.shards):
		return nil, fmt.Errorf("%w: Loop %d of %d", ErrConfig, loop, len(e.shards))
	case loop > 0:
		return e.shards[loop-1], nil
	}
	return e.shards[int(e.next.Add(1)-1)%len(e.shards)], nil
}

// accountNumber is the number of an account by name; an empty name is nobody
// else's.
func (e *Engine) accountNumber(name string) uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n, ok := e.accounts[name]; ok && name != "" {
		return n
	}
	e.last++
	if name != "" {
		e.accounts[name] = e.last
	}
	return e.last
}

// register enters a link, unless the engine is closed.
func (e *Engine) register(l *Link) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrEngineClosed
	}
	e.dialed[l] = struct{}{}
	return nil
}

func (e *Engine) unregister(l *Link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.dialed, l)
}

// removeLater removes an account's link when it stays without a socket.
func (e *Engine) removeLater(s *shard, p *port) {
	downs := p.downs
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(time.Duration(graceNs), func() {
		e.mu.Lock()
		delete(e.timers, t)
		e.mu.Unlock()
		_ = s.call(func() {
			if p.link == nil && p.downs == downs {
				p.account.forget(p)
				s.removePort(p)
			}
		})
	})
	e.timers[t] = struct{}{}
}

// Stats counts what an engine has done: the sums over its shards.
type Stats struct {
	stream.Stats
	// Loops are the counters of the event loops, added up; LongestWake is of the loop
	// that had the longest.
	Loops transport.LoopStats
	// RoundTrips is the histogram of the time from a money packet's writing to
	// its fulfillment, since the last ResetRoundTrips.
	RoundTrips *stream.Histogram
}

// Stats reads the counters of every shard. Not to be called from a Handler.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	final := e.final
	e.mu.Unlock()
	if final != nil {
		return *final
	}
	sum := Stats{RoundTrips: new(stream.Histogram)}
	sum.RejectsIn = make(map[ilp.Code]uint64)
	for i, s := range e.shards {
		_ = s.call(func() {
			sum.add(s.m.Stats())
			sum.RoundTrips.Merge(s.m.RoundTrips())
		})
		sum.addLoop(e.loops[i].Stats())
	}
	return sum
}

// ResetRoundTrips empties the histograms of every shard.
func (e *Engine) ResetRoundTrips() {
	for _, s := range e.shards {
		_ = s.call(func() { s.m.RoundTrips().Reset() })
	}
}

func (sum *Stats) add(s stream.Stats) {
	sum.PacketsIn += s.PacketsIn
	sum.Vectors += s.Vectors
	sum.PreparesIn += s.PreparesIn
	sum.FulfillsOut += s.FulfillsOut
	sum.RejectsOut += s.RejectsOut
	sum.PreparesOut += s.PreparesOut
	sum.TransmitVectors += s.TransmitVectors
	sum.FulfillsIn += s.FulfillsIn
	for code, n := range s.RejectsIn {
		sum.RejectsIn[code] += n
	}
	sum.FailuresIn += s.FailuresIn
	sum.TimedOut += s.TimedOut
	sum.Unknown += s.Unknown
	sum.Released += s.Released
	sum.Sent += s.Sent
	sum.ReleasedPackets += s.ReleasedPackets
	sum.SentPackets += s.SentPackets
	sum.Forged += s.Forged
	sum.Reflected += s.Reflected
	sum.Throttled += s.Throttled
	sum.Replayed += s.Replayed
	sum.Expired += s.Expired
	sum.Connections += s.Connections
	sum.Folded += s.Folded
	sum.Streams += s.Streams
	sum.InFlight += s.InFlight
	sum.Holds += s.Holds
}

func (sum *Stats) addLoop(l transport.LoopStats) {
	t := &sum.Loops
	t.FramesIn += l.FramesIn
	t.FramesOut += l.FramesOut
	t.OctetsIn += l.OctetsIn
	t.OctetsOut += l.OctetsOut
	t.Reads += l.Reads
	t.Writes += l.Writes
	t.Wakes += l.Wakes
	t.Panics += l.Panics
	t.Links += l.Links
	t.LongestWake = max(t.LongestWake, l.LongestWake)
}

// addServer adds a server to every shard, under one number.
func (e *Engine) addServer(cfg stream.ServerConfig, srv *Server) (stream.ServerID, error) {
	e.servers.Lock()
	defer e.servers.Unlock()
	var id stream.ServerID
	for i, s := range e.shards {
		var got stream.ServerID
		var err error
		if failed := s.call(func() {
			if got, err = s.m.AddServer(cfg); err == nil {
				s.setServer(got, srv)
			}
		}); failed != nil {
			return 0, failed
		}
		if err != nil {
			return 0, err
		}
		if i == 0 {
			id = got
		} else if got != id {
			return 0, errors.New("engine: shards disagree on a server's number")
		}
	}
	return id, nil
}
