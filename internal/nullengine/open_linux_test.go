package nullengine

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestOpenLoopSendsAsManyAsAreDue(t *testing.T) {
	for _, poisson := range []bool{false, true} {
		res, err := Run(t.Context(), Config{Links: 2, Window: 64, Rate: 5000, Poisson: poisson, Duration: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		low, high := uint64(999), uint64(1000)
		if poisson {
			low, high = 850, 1150 // five deviations
		}
		if res.Messages < low || res.Messages > high {
			t.Errorf("poisson %t: %d messages in 0.2 s at 5,000 /s", poisson, res.Messages)
		}
		if l := res.Latency; l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("latency %+v", l)
		}
	}
}

func TestOpenLoopCountsAStallForAllThatItHeldUp(t *testing.T) {
	const stall = 100 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var begun time.Time
		in, answer := make([]byte, RequestLen), make([]byte, AnswerLen)
		for {
			if _, err := io.ReadFull(conn, in); err != nil {
				return
			}
			if begun.IsZero() {
				begun = time.Now()
				time.Sleep(stall) // the stall is what is tested
			}
			copy(answer, in[:idLen])
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}()
	// One in flight at a time: a closed loop would have one slow message of hundreds.
	res, err := RunClient(ln.Addr().String(), Config{Links: 1, Window: 1, Rate: 2000, Duration: 2 * stall})
	if err != nil {
		t.Fatal(err)
	}
	if res.Messages < 399 {
		t.Errorf("%d messages", res.Messages)
	}
	if p := time.Duration(res.Latency.P90); p < stall/2 {
		t.Errorf("p90 %v: the stall of %v was left out", p, stall)
	}
}

func TestClosedLoopLatenciesAreMeasuredWhenAskedFor(t *testing.T) {
	cfg := Config{Links: 2, Window: 1, Duration: 20 * time.Millisecond}
	without, err := Run(t.Context(), cfg)
	if err != nil || without.Latency != (Latency{}) {
		t.Errorf("%+v, %v", without.Latency, err)
	}
	cfg.Latencies = true
	with, err := Run(t.Context(), cfg)
	if err != nil || with.Latency.P50 <= 0 || with.Latency.Max < with.Latency.P999 {
		t.Errorf("%+v, %v", with.Latency, err)
	}
}

func TestOpenLoopDoesNotAllocateByTheMessage(t *testing.T) {
	tm := newTimed(Config{Links: 2, Rate: 1e6})
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += 10_000
		tm.arrive(now, now+1)
		for i := range tm.links {
			tm.answered(uint64(i), int(tm.links[i].tail-tm.links[i].head))
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
