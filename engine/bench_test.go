//go:build unix

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// The whole engine over sockets: two engines of one loop each, in one process, with BTP
// over loopback between them. An op is one round trip: its prepare was sealed, opened,
// proved and credited, its fulfill verified, and the encrypted reply opened and applied.
// loadgen -processes 2 measures the same with a process for each end.

const (
	benchAmount  = 1000 // units a packet
	benchAtOnce  = 1024 // streams that one visit of the loop gives more to send
	benchWaiting = time.Minute
)

// BenchmarkEngine shares b.N round trips out among the connections, in random order:
//
//	cpu-ns/op       CPU of both ends, kernel included
//	frames/write    of both
func BenchmarkEngine(b *testing.B) {
	for _, shape := range []struct{ links, window, conns int }{{8, 256, 10_000}, {1, 256, 1}} {
		// What follows is set up once, and not again for every b.N and every -count.
		e := newBenchEngine(b, Config{}, shape.links, shape.window, shape.conns)
		b.Run(fmt.Sprintf("links=%d/window=%d/conns=%d", shape.links, shape.window, shape.conns), func(b *testing.B) {
			e.run(b, 2*shape.conns)
			b.ReportAllocs()
			framesBefore, writesBefore := e.frames()
			cpu := processCPU(b)
			b.ResetTimer()
			e.run(b, b.N)
			b.StopTimer()
			cpu = processCPU(b) - cpu
			frames, writes := e.frames()
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(frames-framesBefore)/float64(writes-writesBefore), "frames/write")
		})
		e.checkMoney(b)
	}
}

// benchEngine is two engines, and the streams of the one that sends.
type benchEngine struct {
	sender, receiver *Engine
	listener         *Listener // the receiver's
	server           *Server
	addresses        []string // of the connections
	link             *Link    // any of the sender's: a way onto its loop

	// The loop's.
	streams []stream.StreamHandle
	sent    uint64 // packets fulfilled, in all runs
	goal    uint64 // packets to be fulfilled in all

	conns  int
	closed atomic.Int64
	done   chan struct{} // all connections are open, or all packets of a run fulfilled
}

func newBenchEngine(b *testing.B, cfg Config, links, window, conns int) *benchEngine {
	b.Helper()
	cfg.Loops = 1
	if eng, err := New(cfg); errors.Is(err, ErrBackend) {
		cfg.StdNet = true
	} else if err == nil {
		closeEngine(b, eng)
	}
	e := &benchEngine{sender: newEngine(b, cfg), receiver: newEngine(b, cfg), conns: conns, done: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(b.Context(), benchWaiting)
	defer cancel()
	ln, err := e.receiver.ListenBTP("127.0.0.1:0", ListenConfig{
		Address: "test.bench", AssetCode: "XRP", AssetScale: 9, Open: true, Window: window,
	})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := ln.Listen(ServerConfig{
		Options: stream.Options{ReceiveMax: ^stream.Amount(0), IdleTimeout: -1},
		Handler: HandlerFunc(func(*OnLoop, []stream.Event) {}),
	})
	if err != nil {
		b.Fatal(err)
	}
	e.listener, e.server = ln, srv
	options := stream.Options{RateNum: 1, RateDen: 1, MaxPacketAmount: benchAmount, MaxInFlight: window, IdleTimeout: -1}
	for i := range links {
		if e.link, err = e.sender.DialBTP(ctx, fmt.Sprintf("btp+ws://link-%d:bench@%s", i, ln.Addr()), LinkConfig{Window: window}); err != nil {
			b.Fatal(err)
		}
		share := (conns - i + links - 1) / links
		creds := make([]Credentials, share)
		for k := range creds {
			if creds[k], err = srv.Credentials(stream.CredentialOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		for _, c := range creds {
			e.addresses = append(e.addresses, c.Address)
		}
		each := func(k int) (string, [32]byte) { return creds[k].Address, creds[k].Secret }
		if err := e.link.ConnectOnLoop(share, each, ConnectConfig{Options: options, Handler: e}); err != nil {
			b.Fatal(err)
		}
	}
	e.wait(b, fmt.Sprintf("%d connections to open", conns))
	if err := e.link.Do(func(*OnLoop) {
		rand.New(rand.NewPCG(1, 2)).Shuffle(conns, func(i, k int) { e.streams[i], e.streams[k] = e.streams[k], e.streams[i] })
	}); err != nil {
		b.Fatal(err)
	}
	return e
}

// HandleEvents opens a stream on each connection, and counts what is fulfilled.
func (e *benchEngine) HandleEvents(lp *OnLoop, events []stream.Event) {
	for i := range events {
		switch event := &events[i]; event.Kind {
		case stream.EventConnected:
			s, err := lp.Machine().OpenStream(lp.Now(), event.Conn)
			if err == nil {
				err = lp.Machine().SetSendMax(lp.Now(), s, 0) // tells the receiver of it at once
			}
			if err != nil {
				e.closed.Add(1)
				continue
			}
			if e.streams = append(e.streams, s); len(e.streams) == e.conns {
				e.done <- struct{}{}
			}
		case stream.EventMoneySent:
			if e.sent += uint64(event.Packets); e.sent == e.goal {
				e.done <- struct{}{}
			}
		case stream.EventClosed:
			e.closed.Add(1)
		}
	}
}

// run has the streams send n packets more, and waits until all are fulfilled.
func (e *benchEngine) run(b *testing.B, n int) {
	b.Helper()
	var err error
	gone := e.link.Do(func(*OnLoop) { e.goal += uint64(n) })
	for from := 0; from < e.conns && from < n && gone == nil && err == nil; from += benchAtOnce {
		gone = e.link.Do(func(lp *OnLoop) {
			for i := from; i < min(from+benchAtOnce, e.conns, n) && err == nil; i++ {
				more := uint64((n - i + e.conns - 1) / e.conns)
				info, _ := lp.Machine().StreamInfo(e.streams[i])
				err = lp.Machine().SetSendMax(lp.Now(), e.streams[i], info.SendMax+stream.Amount(more*benchAmount))
			}
		})
	}
	if err = errors.Join(gone, err); err != nil {
		b.Fatal(err)
	}
	e.wait(b, fmt.Sprintf("%d packets to be fulfilled", n))
}

// wait waits for the loop to say that it is done.
func (e *benchEngine) wait(b *testing.B, what string) {
	b.Helper()
	select {
	case <-e.done:
	case <-time.After(benchWaiting):
		b.Fatalf("waited in vain for %s; %d connections were closed", what, e.closed.Load())
	}
}

// frames is how many frames were written so far, at both ends, and by how many writes.
func (e *benchEngine) frames() (frames, writes uint64) {
	s, r := e.sender.Stats().Loops, e.receiver.Stats().Loops
	return s.FramesOut + r.FramesOut, s.Writes + r.Writes
}

// checkMoney compares what was fulfilled with what was credited.
func (e *benchEngine) checkMoney(b *testing.B) {
	b.Helper()
	sent, released := e.sender.Stats().Sent, e.receiver.Stats().Released
	if want := stream.Amount(e.goal * benchAmount); sent != want || released != want || e.closed.Load() > 0 {
		b.Errorf("of %d units %d were sent and %d credited; %d connections closed", want, sent, released, e.closed.Load())
	}
}

// processCPU is what this process has used so far, user and system.
func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
