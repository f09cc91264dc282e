package transport

import (
	"sync/atomic"
	"testing"
)

// TestOneWriteForWhatManyLinksSend: what the reads of many links bring for one other
// link leaves with hardly more writes than one.
func TestOneWriteForWhatManyLinksSend(t *testing.T) {
	const senders, each = 16, 4
	onBackends(t, func(t *testing.T, b Backend) {
		var target atomic.Pointer[Link]
		forwarded := 0
		hub := newRecorder(t)
		hub.packets = func(_ *Link, in []Packet) {
			for _, p := range in {
				forwarded++
				copy(target.Load().Request(uint32(forwarded), len(p.ILP)), p.ILP)
			}
		}
		lp, ln := listening(t, b, LoopConfig{Slice: -1}, hub)
		var got atomic.Int64
		receiver := newRecorder(t)
		receiver.packets = func(_ *Link, in []Packet) { got.Add(int64(len(in))) }
		dialTo(t, startLoop(t, b, LoopConfig{}, receiver), ln, DialConfig{})
		target.Store(hub.link(0))

		spokes := newRecorder(t)
		slp := startLoop(t, b, LoopConfig{}, spokes)
		for range senders {
			dialTo(t, slp, ln, DialConfig{})
		}
		hub.link(senders)
		spokes.link(senders - 1)

		var before uint64
		hub.do(lp, func() {
			before = target.Load().Stats().Writes
			// All of them send while the hub's loop is busy here.
			spokes.do(slp, func() {
				for _, l := range spokes.ups {
					for i := range each {
						fill(l.Request(uint32(i), 200), uint32(i))
					}
				}
			})
			spokes.do(slp, func() {}) // they are written
		})
		receiver.await("all packets", func() bool { return got.Load() == senders*each })
		hub.do(lp, func() {
			writes := target.Load().Stats().Writes - before
			t.Logf("%d writes", writes)
			if b == GNet && writes > 3 {
				t.Errorf("%d writes for what came in at once", writes)
			}
		})
	})
}

// TestWakingOneselfLetsSocketsBeServed: a handler that always wants to be woken again does not
// keep its loop from its links.
func TestWakingOneselfLetsSocketsBeServed(t *testing.T) {
	const packets = 300
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		server.packets = echo
		lp, ln := listening(t, b, LoopConfig{}, server)
		var stop atomic.Bool
		var wakes, answered atomic.Int64
		server.mu.Lock()
		server.wake = func() {
			wakes.Add(1)
			if !stop.Load() {
				lp.Wake()
			}
		}
		server.mu.Unlock()
		client := newRecorder(t)
		send := func(l *Link) { fill(l.Request(uint32(answered.Load()), 100), 1) }
		client.up = send
		client.packets = func(l *Link, in []Packet) {
			if answered.Add(int64(len(in))) < packets {
				send(l)
			}
		}
		lp.Wake()
		dialTo(t, startLoop(t, b, LoopConfig{}, client), ln, DialConfig{})
		client.await("all answers", func() bool { return answered.Load() == packets })
		first := wakes.Load()
		server.await("further wake-ups", func() bool { return wakes.Load() > first })
		stop.Store(true)
		if n := wakes.Load(); n < packets/2 {
			t.Errorf("woken %d times", n)
		}
	})
}

// TestLinkAloneIsAnsweredVectorByVector: the other end of a link that has its loop to
// itself need not wait until a long read is worked on. How many writes that makes is
// certain where the loop writes by itself; beside it a goroutine writes when it gets to it.
func TestLinkAloneIsAnsweredVectorByVector(t *testing.T) {
	const window, rounds = 4 * vectorLen, 20
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		server.packets = echo
		lp, ln := listening(t, b, LoopConfig{Slice: -1}, server)
		client := newRecorder(t)
		answered, round := 0, 0
		send := func(l *Link) {
			round++
			for i := range window {
				fill(l.Request(uint32(i), 300), uint32(i))
			}
		}
		client.up = send
		client.packets = func(l *Link, in []Packet) {
			if answered += len(in); answered == round*window && round < rounds {
				send(l)
			}
		}
		clp := startLoop(t, b, LoopConfig{}, client)
		dialTo(t, clp, ln, DialConfig{})
		client.await("all answers", func() (all bool) {
			client.do(clp, func() { all = answered == rounds*window })
			return all
		})
		if s := lp.Stats(); b == GNet && s.FramesPerWrite() > 2*vectorLen {
			t.Errorf("%.0f answers a write: the first waited for the last", s.FramesPerWrite())
		}
	})
}
