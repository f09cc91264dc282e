package transport

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace-ilp/millrace/transport/session"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// Backend names what drives the sockets of a loop.
type Backend uint8

// The backends.
const (
	// GNet is epoll or kqueue, through gnet: the fast one. Linux, macOS and the
	// BSDs.
	GNet Backend = iota
	// StdNet is two goroutines a link over package net. Every platform.
	StdNet
)

// String is the name of the backend.
func (b Backend) String() string {
	switch b {
	case GNet:
		return "gnet"
	case StdNet:
		return "net"
	}
	return fmt.Sprintf("backend %d", uint8(b))
}

// LoopConfig tunes loops. The zero value works.
type LoopConfig struct {
	// ReadBuffer bounds the octets of one read. Zero means 256 KiB; at most
	// 1 MiB, rounded up to a power of two.
	ReadBuffer int
	// SocketBuffer is what a socket's kernel buffers are set to, each way, in
	// octets. Zero means 1 MiB; negative leaves the system's choice.
	SocketBuffer int
	// HighWater is how much of a link's output may wait before Link.Room has
	// none left. Zero means 1 MiB.
	HighWater int
	// HardCap is how much of a link's output may wait at all: a link that
	// reaches it is closed. Zero means 4 MiB. Must be above HighWater.
	HardCap int
	// StallTimeout is how long a link whose output waits may go without any of
	// it leaving. Zero means 10s.
	StallTimeout time.Duration
	// Slice is how long the packets of one read may hold the loop up: what is left then
	// goes on after the other sockets have had their turn, so that a peer whose packets are
	// dear, hundreds of connections to open, makes nobody wait but itself. It is looked at
	// after each vector. Zero means 200 µs; negative means that a read is worked on at once.
	Slice time.Duration
	// OneThread keeps a loop of gnet's on one thread of the system, for whoever counts
	// CPU by thread. Each time it sleeps costs some microseconds more then.
	OneThread bool
	// CPUs are the processors that the loops run on, by their numbers: the i-th loop on
	// the i-th, on a thread of its own, and nowhere else (affinity.Bind). Two busy loops
	// then never wait for each other while another processor idles, which costs
	// milliseconds; but nothing else keeps off their processors, and GOMAXPROCS has to be
	// no less than the loops. Two may have the same. What a handler starts as a process runs
	// there, too. Empty leaves it to the system. For gnet on Linux: NewLoops fails elsewhere.
	CPUs []int
	// PingInterval is how long a peer may be silent before it is asked for a
	// sign of life. Zero means 25s; negative means never.
	PingInterval time.Duration
	// DeadTimeout is how long a peer may be silent before its link is closed.
	// Zero means 75s; negative means never.
	DeadTimeout time.Duration
	// CloseTimeout is how long closing a link may take: output has to leave and
	// the peer has to answer. Zero means 2s.
	CloseTimeout time.Duration
	// Logger hears of what goes wrong in the backend and of panics, never of
	// single packets. Nil means silence.
	Logger *slog.Logger
	// OnPanic is told, on the loop, of a panic of the handler or of a parser; the
	// link is nil when the handler was called without one.
	OnPanic func(l *Link, value any, stack []byte)
}

func (c LoopConfig) withDefaults() (LoopConfig, error) {
	setInt(&c.ReadBuffer, 256<<10)
	setInt(&c.SocketBuffer, 1<<20)
	setInt(&c.HighWater, 1<<20)
	setInt(&c.HardCap, 4<<20)
	setTime(&c.StallTimeout, 10*time.Second)
	setTime(&c.Slice, 200*time.Microsecond)
	setTime(&c.PingInterval, 25*time.Second)
	setTime(&c.DeadTimeout, 75*time.Second)
	setTime(&c.CloseTimeout, 2*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.ReadBuffer < 0 || c.ReadBuffer > 1<<20:
		return c, fmt.Errorf("transport: LoopConfig.ReadBuffer %d is not within 0 and 1 MiB", c.ReadBuffer)
	case c.HighWater < 0:
		return c, fmt.Errorf("transport: LoopConfig.HighWater %d is negative", c.HighWater)
	case c.HardCap <= c.HighWater:
		return c, fmt.Errorf("transport: LoopConfig.HardCap %d is not above HighWater %d", c.HardCap, c.HighWater)
	case c.StallTimeout < 0:
		return c, fmt.Errorf("transport: LoopConfig.StallTimeout %v is negative", c.StallTimeout)
	case c.CloseTimeout < 0:
		return c, fmt.Errorf("transport: LoopConfig.CloseTimeout %v is negative", c.CloseTimeout)
	}
	return c, nil
}

// session is the part of the configuration that sessions want.
func (c *LoopConfig) session() *session.Config {
	return &session.Config{
		MaxMessage:   ws.DefaultMaxMessage,
		PingInterval: c.PingInterval,
		DeadTimeout:  c.DeadTimeout,
	}
}

func setInt(p *int, v int) {
	if *p == 0 {
		*p = v
	}
}

func setTime(p *time.Duration, v time.Duration) {
	if *p == 0 {
		*p = v
	}
}
