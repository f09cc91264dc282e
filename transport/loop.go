package transport

import (
	"context"
	"log/slog"
	"time"
)

// Backend names what drives a loop's sockets.
type Backend uint8

// The backends.
const (
	GNet Backend = iota
	StdNet
)

// LoopConfig tunes loops. The zero value works.
type LoopConfig struct {
	ReadBuffer   int
	SocketBuffer int
	HighWater    int
	HardCap      int
	StallTimeout time.Duration
	PingInterval time.Duration
	DeadTimeout  time.Duration
	CloseTimeout time.Duration
	Logger       *slog.Logger
	OnPanic      func(l *Link, value any, stack []byte)
}

// LoopStats counts what a loop did.
type LoopStats struct {
	FramesIn, FramesOut uint64
	OctetsIn, OctetsOut uint64
	Reads, Writes       uint64
	Wakes               uint64
	Panics              uint64
	Links               int
}

// Loop is one event loop.
type Loop struct{}

func NewLoops(n int, backend Backend, cfg LoopConfig, handlers func(i int) Handler) ([]*Loop, error) {
	return nil, nil
}
func CloseLoops(ctx context.Context, loops []*Loop) error { return nil }
func (lp *Loop) Close(ctx context.Context) error          { return nil }
func (lp *Loop) Index() int                               { return 0 }
func (lp *Loop) Wake()                                    {}
func (lp *Loop) WakeAt(unixNano int64)                    {}
func (lp *Loop) Now() int64                               { return 0 }
func (lp *Loop) Stats() LoopStats                         { return LoopStats{} }
