package nullengine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sizes in octets. They are part of the yardstick and never change.
const (
	// RequestLen is the length of a request: 8 octets of id, filler, and
	// one octet that says that the framing is right.
	RequestLen = 280
	// AnswerLen is the length of an answer: the id again, and filler.
	AnswerLen = 220

	idLen        = 8
	marker       = 0x5A             // last octet of every request
	readBuffer   = 256 << 10        // octets per read, at both ends
	socketBuffer = 1 << 20          // SO_SNDBUF and SO_RCVBUF, at both ends
	maxLinks     = 10_000           // half of a usual limit of descriptors
	maxWindow    = 64 << 10         // 18 MB of requests on one link
	patience     = 10 * time.Second // without an answer: then the run has failed
	pollTimeout  = 100              // milliseconds between looks at the context
)

var (
	// ErrUnsupported says that the raw epoll client does not exist on this
	// platform.
	ErrUnsupported = errors.New("nullengine: the client is not supported on this platform: it needs Linux epoll")
	// ErrConfig says that a field of Config is out of bounds; it comes
	// wrapped with the field's name.
	ErrConfig = errors.New("nullengine: bad config")
	// ErrAnswer says that the server answered with an id that was not due.
	ErrAnswer = errors.New("nullengine: answer with an unexpected id")
	// ErrStalled says that requests stayed unanswered for ten seconds.
	ErrStalled = errors.New("nullengine: no answer for ten seconds")
)

// Config is the shape of the load. The zero value works.
type Config struct {
	// Links is the number of TCP connections. Zero means 8; at most 10,000.
	Links int
	// Window is the number of requests kept in flight on each link. Zero
	// means 256; at most 65,536.
	Window int
	// Duration is how long new requests are sent; answers that are still
	// due are then waited for. Zero means one second.
	Duration time.Duration

	// Rate makes the loop open: so many requests a second in all are due,
	// whatever became of those before, on links by chance, and a latency runs
	// from when its request was due. Window still bounds what is in flight.
	// Zero means a closed loop; at most 1e9.
	Rate float64
	// Poisson makes the arrivals of an open loop a Poisson process instead of
	// evenly spaced.
	Poisson bool
	// CPUs are the processors that the client and, in Run, the server are bound to, in this
	// order. Empty leaves it to the system.
	CPUs []int
	// Latencies has a closed loop measure latencies, too, each from the
	// writing of its request. That costs some nanoseconds a message, so the
	// figures of the yardstick are taken without.
	Latencies bool
}

// Late is from when on a request of an open loop counts as late, in nanoseconds
// after it was due.
const Late = int64(100 * time.Microsecond)

func (c Config) withDefaults() (Config, error) {
	if c.Links == 0 {
		c.Links = 8
	}
	if c.Window == 0 {
		c.Window = 256
	}
	if c.Duration == 0 {
		c.Duration = time.Second
	}
	switch {
	case c.Links < 0 || c.Links > maxLinks:
		return c, fmt.Errorf("%w: Links %d", ErrConfig, c.Links)
	case c.Window < 0 || c.Window > maxWindow:
		return c, fmt.Errorf("%w: Window %d", ErrConfig, c.Window)
	case c.Rate < 0 || c.Rate > 1e9 || c.Rate != c.Rate:
		return c, fmt.Errorf("%w: Rate %v", ErrConfig, c.Rate)
	case len(c.CPUs) > 0 && len(c.CPUs) != 2:
		return c, fmt.Errorf("%w: CPUs %v: one of the client and one of the server", ErrConfig, c.CPUs)
	case c.Duration < 0:
		return c, fmt.Errorf("%w: Duration %s", ErrConfig, c.Duration)
	}
	return c, nil
}

// Result is what one run measured. A message is one request and its answer.
type Result struct {
	// Messages counts the requests that were answered.
	Messages uint64
	// Elapsed runs from the first request to the last answer; setting up the
	// links is not in it.
	Elapsed time.Duration
	// ProcessCPU is user and system time of the whole process over Elapsed:
	// both ends in a result of Run, the client alone in one of RunClient.
	ProcessCPU time.Duration
	// ServerCPU is the CPU time of the server's event loop. Only Run knows
	// it; a server in another process tells it by Server.CPU.
	ServerCPU time.Duration
	// ClientCPU is the CPU time of the client's thread.
	ClientCPU time.Duration
	// ServerWrites counts the writes of the server, one per wake-up. Only
	// Run knows it.
	ServerWrites uint64
	// ClientWrites counts the writes of the client.
	ClientWrites uint64
	// Latency is that of the messages, if Config asked for it.
	Latency Latency
	// Late counts the requests of an open loop that were noticed only Late
	// after they were due, because the client was busy.
	Late uint64
}

// MessagesPerSecond is the rate over Elapsed, or 0 for an empty run.
func (r Result) MessagesPerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Messages) / r.Elapsed.Seconds()
}

// CPUPerMessage is ProcessCPU in nanoseconds per message, or 0 for an empty
// run.
func (r Result) CPUPerMessage() float64 {
	if r.Messages == 0 {
		return 0
	}
	return float64(r.ProcessCPU.Nanoseconds()) / float64(r.Messages)
}

// FramesPerWrite is the number of answers in one write of the server or, when
// the server is elsewhere, of requests in one write of the client; 0 for an
// empty run.
func (r Result) FramesPerWrite() float64 {
	writes := r.ServerWrites
	if writes == 0 {
		writes = r.ClientWrites
	}
	if writes == 0 {
		return 0
	}
	return float64(r.Messages) / float64(writes)
}

// Run starts a server on a loopback port, drives it from this process, and
// stops it. When ctx ends early it returns what was measured so far with the
// error of ctx.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if !clientSupported {
		return Result{}, ErrUnsupported
	}
	var cpus []int
	if len(cfg.CPUs) == 2 {
		cpus = cfg.CPUs[1:]
	}
	srv, err := serve(ctx, "127.0.0.1:0", cpus)
	if err != nil {
		return Result{}, err
	}
	res, err := runClient(ctx, srv.Addr(), cfg)
	// The links are new and the loop did nothing before them, so the
	// server's counters need no subtraction.
	res.ServerCPU = srv.CPU()
	res.ServerWrites = srv.Writes()
	return res, errors.Join(err, srv.Close())
}

// RunClient drives a server, usually one that another process runs, and
// returns when every request has been answered.
//
// It answers ErrUnsupported where there is no epoll, ErrConfig for a bad cfg,
// ErrAnswer or ErrStalled for a server that misbehaves, and the error of the
// system call that failed otherwise.
func RunClient(addr string, cfg Config) (Result, error) {
	return runClient(context.Background(), addr, cfg)
}
