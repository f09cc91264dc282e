package main

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/internal/nullengine"
)

func TestOpenLoopKeepsItsRateAndTheMoney(t *testing.T) {
	if planted {
		t.Skip("credits are lost on purpose")
	}
	for _, arrivals := range []string{constant, poisson} {
		code, r, table := runFor(t, "-duration", "300ms", "-connections", "50", "-links", "2", "-rate", "2000", "-arrivals", arrivals)
		if code != exitDone || !r.MoneyAgrees || r.Failure != "" {
			t.Fatalf("status %d\n%s", code, table)
		}
		if r.Loop != openLoop || r.Open == nil || r.Open.Rate != 2000 || r.Open.Arrivals != arrivals || r.Config.Rate != 2000 {
			t.Fatalf("not told as an open loop: %s %+v\n%s", r.Loop, r.Open, table)
		}
		if r.Open.Due < 400 || r.Open.Due > 2000 || r.Open.Unanswered != 0 || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P999 {
			t.Errorf("%+v, latency %+v", r.Open, r.Latency)
		}
		if r.NullOpen == nil && r.Null != nil || r.NullOpen != nil && (r.NullOpen.Loop != openLoop || r.NullOpen.Latency == nil) {
			t.Errorf("the null engine at this rate: %+v", r.NullOpen)
		}
		if !strings.Contains(table, "open loop, from when they were due") {
			t.Errorf("table:\n%s", table)
		}
	}
}

// testArrivals is an open loop by itself, whose clock began an hour ago.
func testArrivals(rate float64, streams int) *arrivals {
	s := shape{Rate: rate, Arrivals: constant, PacketAmount: 10}
	return newArrivals(s, time.Now().Add(-time.Hour), 0, 1, make([]stream.StreamHandle, streams))
}

func TestLatencyRunsFromWhenAPacketWasDue(t *testing.T) {
	a := testArrivals(1000, 2)
	a.from, a.end = 0, never
	a.push(&a.targets[0], 1e6)
	a.push(&a.targets[0], 2e6)
	a.push(&a.targets[1], 3e6)
	a.paid(0, 5, 4e6)  // half of the first
	a.paid(0, 15, 5e6) // its rest, and the second
	if n := a.latency.TotalCount(); n != 2 {
		t.Fatalf("%d latencies", n)
	}
	if l := nullengine.LatencyOf(a.latency); l.P50 < 2.9e6 || l.P50 > 3.1e6 || l.Max < 3.9e6 || l.Max > 4.1e6 {
		t.Errorf("got %+v, want 3 and 4 ms", l)
	}
	a.until = 0 // nothing else is due
	if a.answered() {
		t.Error("one is not answered")
	}
	if n := a.giveUp(); n != 1 || !a.answered() || a.latency.TotalCount() != 3 {
		t.Errorf("%d unanswered, %d latencies", n, a.latency.TotalCount())
	}
}

func TestArrivalsThatFindNoRoomWaitAndAreLate(t *testing.T) {
	a := testArrivals(1000, 1)
	a.waits = slices.Clone(a.waits[:3]) // two may wait
	if !a.push(&a.targets[0], 1) || !a.push(&a.targets[0], 2) || a.push(&a.targets[0], 3) {
		t.Error("the bound does not hold")
	}
	a.paid(0, 10, 5)
	if !a.push(&a.targets[0], 3) {
		t.Error("no room after an answer")
	}
}

func TestAsManyArrivalsWaitAsKeepTheWindowsFull(t *testing.T) {
	for _, x := range []struct{ links, window, loops, want int }{
		{8, 256, 1, 4096},
		{8, 1024, 2, 8192},
		{1, 1, 1, maxBurst},
		{8, 1 << 20, 1, maxWaiting},
	} {
		if n := (shape{Links: x.links, Window: x.window}).waitingFor(x.loops); n != x.want {
			t.Errorf("%d links, window %d, %d loops: %d, want %d", x.links, x.window, x.loops, n, x.want)
		}
	}
}

// TestArrivalsOfAStreamAreAnsweredInOrder: however many of them wait, also more than stand
// with their stream.
func TestArrivalsOfAStreamAreAnsweredInOrder(t *testing.T) {
	if size := unsafe.Sizeof(target{}); size != 64 {
		t.Errorf("a target has %d octets, and not a cache line", size)
	}
	a := testArrivals(1000, 3)
	r := rand.New(rand.NewPCG(1, 2))
	var due [3][]int64
	for now := int64(1); now < 20_000; now++ {
		i := r.IntN(len(due))
		if grow := now/1000%2 == 0; r.IntN(3) > 0 == grow || len(due[i]) == 0 {
			if !a.push(&a.targets[i], now) {
				t.Fatal("there is no room")
			}
			due[i] = append(due[i], now)
		} else if got := a.pop(&a.targets[i]); got != due[i][0] {
			t.Fatalf("stream %d: %d is answered, want %d", i, got, due[i][0])
		} else {
			due[i] = due[i][1:]
		}
		if want := len(due[0]) + len(due[1]) + len(due[2]); a.out != want {
			t.Fatalf("%d wait, want %d", a.out, want)
		}
	}
	if a.unwaited < 100 {
		t.Errorf("hardly any stood behind: %d", a.unwaited)
	}
}

func TestOpenLoopTakesNoMemoryWhileItRuns(t *testing.T) {
	a := testArrivals(1000, 100)
	a.from, a.end = 0, never
	if n := testing.AllocsPerRun(1000, func() {
		for i := range a.targets {
			a.push(&a.targets[i], a.now())
		}
		now := a.now()
		for i := range a.targets {
			a.paid(uint64(i), 10, now)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
