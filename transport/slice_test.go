package transport

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// slice is a loop's by default.
const slice = 200 * time.Microsecond

// dear is a handler for which each vector takes longer than that.
func dear(r *recorder, each func(l *Link, in []Packet)) {
	r.packets = func(l *Link, in []Packet) {
		each(l, in)
		time.Sleep(2 * slice)
	}
}

// TestALongReadLetsOthersHaveTheirTurn: between the vectors of one link, whose packets take
// their time, another link is served, and none of the packets goes missing or changes places.
func TestALongReadLetsOthersHaveTheirTurn(t *testing.T) {
	const many = 40 * vectorLen
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		var long []uint32 // as they came
		var short atomic.Int64
		short.Store(-1)
		dear(server, func(l *Link, in []Packet) {
			for _, p := range in {
				if string(p.ILP[:1]) == "s" {
					short.Store(int64(len(long)))
					continue
				}
				long = append(long, p.ID)
			}
		})
		lp, ln := listening(t, b, LoopConfig{}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{}, client)
		dialTo(t, clp, ln, DialConfig{})
		dialTo(t, clp, ln, DialConfig{})
		client.link(1)
		server.do(lp, func() { // both send while the loop is busy here
			client.do(clp, func() {
				for i := range many {
					copy(client.ups[0].Request(uint32(i), 50), "l")
				}
				copy(client.ups[1].Request(1, 50), "s")
			})
			client.do(clp, func() {}) // they are written
			time.Sleep(5 * time.Millisecond)
		})
		var got int
		server.await("all packets", func() bool {
			server.do(lp, func() { got = len(long) })
			return got == many && short.Load() >= 0
		})
		server.do(lp, func() {
			if !slices.IsSorted(long) {
				t.Error("packets of one link changed places")
			}
			if n := short.Load(); n > many/2 {
				t.Errorf("the other link waited for %d packets of %d", n, many)
			}
			if lp.rested != 0 || len(lp.resting) != 0 {
				t.Errorf("%d octets of %d links are left", lp.rested, len(lp.resting))
			}
		})
	})
}

// TestWhatWaitsForASliceIsBounded: a peer that sends faster than it is worked on has its
// packets worked on at once when the bound is reached, in order.
func TestWhatWaitsForASliceIsBounded(t *testing.T) {
	const packets, octets = 30_000, 200
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		got, most, wrong := 0, 0, 0
		var lp *Loop
		dear(server, func(_ *Link, in []Packet) {
			for _, p := range in {
				if p.ID != uint32(got) {
					wrong++
				}
				got++
			}
			most = max(most, lp.rested)
		})
		lp, ln := listening(t, b, LoopConfig{}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{HardCap: 64 << 20, HighWater: 32 << 20}, client)
		dialTo(t, clp, ln, DialConfig{})
		client.link(0)
		client.do(clp, func() {
			for i := range packets {
				client.ups[0].Request(uint32(i), octets)
			}
		})
		var n int
		server.await("all packets", func() bool { server.do(lp, func() { n = got }); return n == packets })
		server.do(lp, func() {
			if wrong > 0 || most == 0 || most > maxRest || lp.rested != 0 {
				t.Errorf("%d packets out of place; %d octets waited at most, %d still do", wrong, most, lp.rested)
			}
		})
	})
}

// TestWhatWaitsForASliceComesBeforeTheEnd: a peer that has sent and gone has all of it
// worked on before the link is down.
func TestWhatWaitsForASliceComesBeforeTheEnd(t *testing.T) {
	const many = 20 * vectorLen
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		got, atEnd := 0, -1
		dear(server, func(_ *Link, in []Packet) { got += len(in) })
		server.down = func(*Link, []uint32, error) { atEnd = got }
		lp, ln := listening(t, b, LoopConfig{}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{}, client)
		dialTo(t, clp, ln, DialConfig{})
		client.link(0)
		server.do(lp, func() {
			client.do(clp, func() {
				for i := range many {
					client.ups[0].Request(uint32(i), 50)
				}
			})
			waits := 1
			client.await("all written", func() bool {
				client.do(clp, func() { waits = client.ups[0].sock.pending() })
				return waits == 0
			})
			client.do(clp, func() { clp.drop(client.ups[0], ErrClosed) }) // without a word
			time.Sleep(5 * time.Millisecond)
		})
		server.fall(server.ups[0])
		server.do(lp, func() {
			if atEnd != many || lp.rested != 0 {
				t.Errorf("%d packets of %d before the end; %d octets wait", atEnd, many, lp.rested)
			}
		})
	})
}

// TestWhatWaitsForASliceIsBoundedForAll: many links together come to the loop's bound.
func TestWhatWaitsForASliceIsBoundedForAll(t *testing.T) {
	const links, packets, octets = 40, 800, 2000
	onBackends(t, func(t *testing.T, b Backend) {
		if b != GNet {
			t.Skip("its reads are one vector of such packets each")
		}
		server := newRecorder(t)
		got, most := 0, 0
		var lp *Loop
		dear(server, func(_ *Link, in []Packet) { got, most = got+len(in), max(most, lp.rested) })
		lp, ln := listening(t, b, LoopConfig{}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{HardCap: 64 << 20, HighWater: 32 << 20}, client)
		for range links {
			dialTo(t, clp, ln, DialConfig{})
		}
		client.link(links - 1)
		client.do(clp, func() {
			for _, l := range client.ups {
				for i := range packets {
					l.Request(uint32(i), octets)
				}
			}
		})
		var n int
		server.await("all packets", func() bool { server.do(lp, func() { n = got }); return n == links*packets })
		server.do(lp, func() {
			if most < maxRested/2 || most > maxRested+maxRest || lp.rested != 0 {
				t.Errorf("%d octets waited at most, %d still do", most, lp.rested)
			}
		})
	})
}

// TestALinkThatEndsTakesWhatWaitsWithIt: of a link that is dropped nothing is worked on
// any more.
func TestALinkThatEndsTakesWhatWaitsWithIt(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		vectors, atEnd := 0, -1
		dear(server, func(*Link, []Packet) { vectors++ })
		lp, ln := listening(t, b, LoopConfig{}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{}, client)
		dialTo(t, clp, ln, DialConfig{})
		client.link(0)
		l := server.link(0)
		client.do(clp, func() {
			for i := range 40 * vectorLen {
				client.ups[0].Request(uint32(i), 50)
			}
		})
		server.await("octets that wait", func() bool {
			server.do(lp, func() {
				if l.rest != nil && atEnd < 0 {
					atEnd = vectors
					lp.drop(l, ErrClosed)
				}
			})
			return atEnd >= 0
		})
		server.fall(l)
		server.do(lp, func() {
			if vectors != atEnd || lp.rested != 0 {
				t.Errorf("%d vectors, %d before the end; %d octets wait", vectors, atEnd, lp.rested)
			}
		})
	})
}

// TestWithoutSlicesAReadIsWorkedOnAtOnce: however long its packets take.
func TestWithoutSlicesAReadIsWorkedOnAtOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		server := newRecorder(t)
		got, most := 0, 0
		var lp *Loop
		dear(server, func(_ *Link, in []Packet) { got, most = got+len(in), max(most, lp.rested) })
		lp, ln := listening(t, b, LoopConfig{Slice: -1}, server)
		client := newRecorder(t)
		clp := startLoop(t, b, LoopConfig{}, client)
		dialTo(t, clp, ln, DialConfig{})
		client.link(0)
		client.do(clp, func() {
			for i := range 40 * vectorLen {
				client.ups[0].Request(uint32(i), 50)
			}
		})
		var n int
		server.await("all packets", func() bool { server.do(lp, func() { n = got }); return n == 40*vectorLen })
		if most != 0 {
			t.Errorf("%d octets waited", most)
		}
	})
}
