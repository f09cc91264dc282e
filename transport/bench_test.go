package transport

import (
	"fmt"
	"runtime"
	"testing"
)

// pump is two ends in one process over loopback: links client links with window
// requests in flight each, answered by the other end. run is given a function that
// makes n round trips, and at least one window.
func pump(tb testing.TB, b Backend, links, window int, run func(roundTrips func(n int))) (client, server *Loop) {
	sr, cr := newRecorder(tb), newRecorder(tb)
	sr.packets = func(l *Link, in []Packet) {
		for i := range in {
			l.Reply(in[i].ID, 190)
		}
	}
	up, done := make(chan *Link, links), make(chan struct{})
	cr.up = func(l *Link) { up <- l }
	var sent, answered, goal int // the client loop's
	cr.packets = func(l *Link, in []Packet) {
		for i := range in {
			if sent < goal {
				l.Request(in[i].ID, 250)
				sent++
			}
		}
		if answered += len(in); answered == goal {
			done <- struct{}{}
		}
	}
	server, ln := listening(tb, b, LoopConfig{}, sr)
	client = startLoop(tb, b, LoopConfig{}, cr)
	all := make([]*Link, links)
	for i := range all {
		dialTo(tb, client, ln, DialConfig{})
		all[i] = <-up
	}
	run(func(n int) {
		cr.do(client, func() {
			goal += max(n, links*window)
			for _, l := range all {
				for id := range uint32(window) {
					l.Request(id, 250)
					sent++
				}
			}
		})
		<-done
	})
	return client, server
}

func TestPacketsOverSocketsDoNotAllocate(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		var perPacket float64
		pump(t, b, 2, 256, func(roundTrips func(int)) {
			roundTrips(20_000)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			roundTrips(100_000)
			runtime.ReadMemStats(&after)
			perPacket = float64(after.Mallocs-before.Mallocs) / 200_000
		})
		// What is left is by the wake-up: the backend's queue nodes and pooled
		// memory that a collection took.
		limit := 0.02
		if b == StdNet {
			limit = 0.1
		}
		if perPacket > limit && !pooledAllocates {
			t.Errorf("%.4f allocations a packet", perPacket)
		}
	})
}

func BenchmarkRoundTripOverSockets(b *testing.B) {
	for _, backend := range []Backend{GNet, StdNet} {
		for _, shape := range []struct{ links, window int }{{1, 1}, {1, 256}, {8, 256}} {
			b.Run(fmt.Sprintf("backend=%v/links=%d/window=%d", backend, shape.links, shape.window), func(b *testing.B) {
				client, _ := pump(b, backend, shape.links, shape.window, func(roundTrips func(int)) {
					roundTrips(1000)
					b.ReportAllocs()
					b.ResetTimer()
					roundTrips(b.N)
					b.StopTimer()
				})
				b.ReportMetric(client.Stats().FramesPerWrite(), "frames/write")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "roundtrips/s")
			})
		}
	}
}
