package transport

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/pool"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// Why a loop was woken: bits of Loop.wakes.
const (
	wakeHandler uint32 = 1 << iota // Loop.Wake
	wakeTimer                      // Loop.timer
	wakeAsks                       // Link.Close
	wakeTick                       // a socket's output has left
	wakeClose                      // Loop.Close
	wakeAbort                      // Loop.Close, out of patience
	wakeFlush                      // Loop.flushDirty has left links for later
	wakeRest                       // links have octets left for another slice
)

const (
	vectorLen = 64 // packets a call of Handler.Packets
	never     = math.MaxInt64
	// The wheel turns once in 33 s: no timer of a link is much longer.
	wheelTickNs = int64(8 * time.Millisecond)
	wheelSlots  = 4096
	// maxLinks bounds the links of one loop; a process has fewer descriptors.
	maxLinks = 1 << 20
)

// Loop is one event loop and the links on it. Its methods may be called from any
// goroutine unless they say otherwise.
type Loop struct {
	index   int
	cfg     LoopConfig
	handler Handler
	driver  driver

	// Owned by the loop's goroutine.
	now     int64
	clock   clock
	inside  bool // a wake-up is being worked on
	links   []*Link
	free    []uint32
	live    int
	closing bool
	wheel   *slab.Wheel
	wakeAt  int64 // what WakeAt asked for, or never
	armedAt int64 // when timer goes off, or never
	tickAt  int64 // when links with waiting output are looked at, or never
	vec     []Packet
	chunks  []*pool.Buf
	ids     []uint32
	reading *Link   // whose octets are being worked on
	last    *Link   // that was read last
	alone   bool    // the same link was read before: its loop has nothing else to do
	dirty   []*Link // written to and not flushed
	resting []*Link // their input has not all been worked on
	rested  int     // octets of it
	waiting []*Link // their output has not all reached the kernel
	downs   []*Link // ended; the handler is still to be told
	call    uint64  // number of the handler call that is running or ran last
	touched []*Link // reserved output in that call
	calling bool    // a handler call is running
	keys    *rand.ChaCha8
	masked  int // octets since keys was seeded
	stats   LoopStats

	// Shared.
	offLoop   atomic.Uint64 // panics on the transport's other goroutines
	publicMu  sync.Mutex
	published LoopStats // stats as of the last wake-up
	wakes     atomic.Uint32
	timer     *time.Timer
	idle      chan struct{} // closed once the loop is closing and no link is left

	mu        sync.Mutex
	asks      []*Link     // Link.Close was called
	asked     atomic.Bool // asks are there
	enrolling int
	shut      bool // nothing may be enrolled any more
	enrolled  *sync.Cond

	wakeMu  sync.Mutex
	stopped bool // the driver is gone
	once    sync.Once
	done    chan struct{}
}

// LoopStats counts what a loop did since it began.
type LoopStats struct {
	FramesIn, FramesOut uint64 // WebSocket frames; a fragmented message is one
	OctetsIn, OctetsOut uint64 // on the wire
	Reads, Writes       uint64 // system calls, or what stands for one in the backend
	Wakes               uint64 // wake-ups of any kind
	Panics              uint64 // that were caught
	Links               int    // now
	// LongestWake is how long the longest wake-up took: for so long the loop served
	// nobody else. What the system did meanwhile is in it.
	LongestWake time.Duration
}

// FramesPerWrite is how many frames left with one system call, on average.
func (s LoopStats) FramesPerWrite() float64 {
	if s.Writes == 0 {
		return 0
	}
	return float64(s.FramesOut) / float64(s.Writes)
}

// NewLoops starts n loops. handlers is called once for each, from 0, before any of
// them runs. Close each loop in the end, or all with CloseLoops. A backend that the
// platform lacks is ErrBackend.
func NewLoops(n int, backend Backend, cfg LoopConfig, handlers func(i int) Handler) ([]*Loop, error) {
	if n < 1 {
		return nil, fmt.Errorf("transport: %d loops", n)
	}
	cfg, err := cfg.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case len(cfg.CPUs) > 0 && len(cfg.CPUs) != n:
		return nil, fmt.Errorf("transport: LoopConfig.CPUs has %d processors for %d loops", len(cfg.CPUs), n)
	case len(cfg.CPUs) > 0 && backend != GNet:
		return nil, fmt.Errorf("transport: LoopConfig.CPUs: %w of %v", errors.ErrUnsupported, backend)
	}
	loops := make([]*Loop, 0, n)
	for i := range n {
		lp := newLoop(i, cfg, handlers(i))
		switch backend {
		case GNet:
			lp.driver, err = newGNetDriver(lp)
		case StdNet:
			lp.driver, err = newStdDriver(lp), nil
		default:
			err = ErrBackend
		}
		if err != nil {
			_ = CloseLoops(context.Background(), loops)
			return nil, fmt.Errorf("transport: loop %d (%v): %w", i, backend, err)
		}
		loops = append(loops, lp)
	}
	return loops, nil
}

func newLoop(index int, cfg LoopConfig, handler Handler) *Loop {
	lp := &Loop{
		index: index, cfg: cfg, handler: handler,
		links:  make([]*Link, 1), // index 0 is none
		wheel:  slab.NewWheel(wheelTickNs, wheelSlots),
		wakeAt: never, armedAt: never, tickAt: never,
		vec:  make([]Packet, 0, vectorLen),
		keys: newKeys(),
		idle: make(chan struct{}), done: make(chan struct{}),
	}
	lp.now = time.Now().UnixNano()
	lp.enrolled = sync.NewCond(&lp.mu)
	lp.timer = time.AfterFunc(time.Hour, func() { lp.post(wakeTimer) })
	lp.timer.Stop()
	return lp
}

// newKeys is a generator of masking keys nobody can foresee.
func newKeys() *rand.ChaCha8 {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed)
}

// Index is the loop's number, from 0, as handlers and Authenticate know it.
func (lp *Loop) Index() int { return lp.index }

// Wake makes the handler's Wake run soon on the loop, once that has served what its
// sockets have at hand: a handler that wakes itself lets them in between. Calls that
// come before it begins are one. It costs little and never blocks.
func (lp *Loop) Wake() { lp.post(wakeHandler) }

// WakeAt makes the handler's Wake run at that instant, in Unix ns, or as soon
// after as timers allow, about a millisecond; of several calls the earliest counts,
// until it has come. Loop only.
func (lp *Loop) WakeAt(unixNano int64) { lp.wakeAt = min(lp.wakeAt, unixNano) }

// Now is when the wake-up or read that is being worked on began, in Unix ns. Loop
// only.
func (lp *Loop) Now() int64 { return lp.now }

// Stats is what the loop has counted, as of its last wake-up.
func (lp *Loop) Stats() LoopStats {
	lp.publicMu.Lock()
	s := lp.published
	lp.publicMu.Unlock()
	s.Panics += lp.offLoop.Load()
	return s
}

// publish costs one lock that is hardly ever held, which is cheaper than nine
// atomic stores, and a look at the monotonic clock.
func (lp *Loop) publish() {
	lp.stats.Links = lp.live
	lp.stats.LongestWake = max(lp.stats.LongestWake, lp.clock.elapsed())
	lp.publicMu.Lock()
	lp.published = lp.stats
	lp.publicMu.Unlock()
}

// post wakes the loop for the reasons in bits. Only the first of several posts
// reaches the backend, whose queue has no bound of its own.
func (lp *Loop) post(bits uint32) {
	if lp.wakes.Or(bits) != 0 {
		return
	}
	lp.wakeMu.Lock()
	if !lp.stopped {
		lp.driver.wake()
	}
	lp.wakeMu.Unlock()
}

// Close closes the loop: links are closed as Link.Close does it, all at once, and
// those that take longer than ctx allows are cut off; then the loop ends. It
// returns ctx's error if links had to be cut off. Not to be called on the loop.
func (lp *Loop) Close(ctx context.Context) error {
	var err error
	lp.once.Do(func() {
		defer close(lp.done)
		lp.mu.Lock()
		lp.shut = true
		for lp.enrolling > 0 {
			lp.enrolled.Wait()
		}
		lp.mu.Unlock()
		lp.post(wakeClose)
		select {
		case <-lp.idle:
		case <-ctx.Done():
			err = ctx.Err()
			lp.post(wakeAbort)
			<-lp.idle
		}
		lp.wakeMu.Lock()
		lp.stopped = true
		lp.timer.Stop()
		lp.wakeMu.Unlock()
		lp.driver.stop()
	})
	<-lp.done
	return err
}

// CloseLoops closes loops side by side and returns the first error.
func CloseLoops(ctx context.Context, loops []*Loop) error {
	errs := make(chan error, len(loops))
	for _, lp := range loops {
		go func() { errs <- lp.Close(ctx) }()
	}
	var first error
	for range loops {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}
