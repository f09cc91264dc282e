package transport

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyWakesAreFewWakeUps(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		var woken, posted atomic.Int64
		hold, held := make(chan struct{}), make(chan struct{}, 1)
		r.wake = func() {
			if woken.Add(1) == 1 {
				held <- struct{}{}
				<-hold
			}
		}
		lp := startLoop(t, b, LoopConfig{}, r)
		lp.Wake()
		<-held
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 1000 {
					lp.Wake()
					posted.Add(1)
				}
			})
		}
		all.Wait()
		close(hold)
		r.await("second wake", func() bool { return woken.Load() == 2 })
		r.await("quiet", func() bool { return lp.wakes.Load() == 0 })
		if woken.Load() != 2 || posted.Load() != 8000 {
			t.Errorf("%d wake-ups for 8001 wakes", woken.Load())
		}
	})
}

func TestWakeAtKeepsTheEarliestAndComesOnce(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp := startLoop(t, b, LoopConfig{}, r)
		times := make(chan int64, 10)
		var began int64
		r.do(lp, func() {
			began = lp.Now()
			for _, ms := range []int64{500, 30, 400} {
				lp.WakeAt(began + ms*int64(time.Millisecond))
			}
			r.wake = func() { times <- lp.Now() }
		})
		at := time.Duration(<-times - began)
		if at < 30*time.Millisecond || at > 300*time.Millisecond {
			t.Errorf("woken after %v", at)
		}
		select {
		case <-times:
			t.Error("woken again")
		case <-time.After(40 * time.Millisecond):
		}
		r.do(lp, func() { // a time that has passed comes at once
			lp.WakeAt(1)
			r.wake = func() { times <- lp.Now() }
		})
		<-times
	})
}

// Links that the handler writes to from any of its methods are sent.
func TestWritesFromWakeAndFromOtherLinksAreSent(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		from, to := login(t, ln, 0), login(t, ln, 0)
		r.link(1)
		r.do(lp, func() {
			r.packets = func(_ *Link, in []Packet) {
				for _, p := range in {
					copy(r.ups[1].Request(p.ID+1, len(p.ILP)), p.ILP)
				}
			}
			copy(r.ups[1].Request(1, 4), "wake")
			r.down = func(*Link, []uint32, error) { copy(r.ups[1].Request(3, 4), "down") }
		})
		if p := to.next(); p.RequestID() != 1 {
			t.Fatalf("request %d", p.RequestID())
		}
		from.send(from.ilp(6, 1, []byte("forward")))
		if p := to.next(); p.RequestID() != 2 {
			t.Fatalf("request %d", p.RequestID())
		}
		_ = from.conn.Close()
		if p := to.next(); p.RequestID() != 3 {
			t.Fatalf("request %d", p.RequestID())
		}
	})
}

func TestBadConfigurationIsRefusedByName(t *testing.T) {
	h := func(int) Handler { return newRecorder(t) }
	for field, cfg := range map[string]LoopConfig{
		"ReadBuffer":   {ReadBuffer: -1},
		"HighWater":    {HighWater: -1},
		"HardCap":      {HighWater: 10, HardCap: 10},
		"StallTimeout": {StallTimeout: -1},
		"CloseTimeout": {CloseTimeout: -1},
	} {
		if _, err := NewLoops(1, StdNet, cfg, h); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := NewLoops(0, StdNet, LoopConfig{}, h); err == nil {
		t.Error("no loops at all")
	}
	if _, err := NewLoops(1, Backend(9), LoopConfig{}, h); !errors.Is(err, ErrBackend) {
		t.Errorf("unknown backend: %v", err)
	}
}

func TestSeveralLoopsEachKeepTheirLinks(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		recorders := []*recorder{newRecorder(t), newRecorder(t)}
		loops, err := NewLoops(2, b, LoopConfig{}, func(i int) Handler { return recorders[i] })
		if err != nil {
			t.Fatal(err)
		}
		ln, err := Listen(loops, ListenConfig{Addr: "127.0.0.1:0", Authenticate: func(name, token []byte) (any, int, error) {
			return nil, int(token[0] - '0'), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close(); _ = CloseLoops(t.Context(), loops) })
		for i, token := range []string{"1", "0", "1"} {
			c := connect(t, ln, 0)
			c.send(c.auth(token))
			c.next()
			_ = i
		}
		if a, b := recorders[0].link(0), recorders[1].link(1); a.Loop() != loops[0] || b.Loop() != loops[1] || b.Loop().Index() != 1 {
			t.Error("a link is on another loop than it was sent to")
		}
		// An index that is none refuses the peer.
		c := connect(t, ln, 0)
		c.send(c.auth("7"))
		if p := c.next(); p.Type().String() != "Error" {
			t.Errorf("answer %v", p.Type())
		}
	})
}

func TestTheLongestWakeUpIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t)
		lp := startLoop(t, StdNet, LoopConfig{}, r)
		if took := lp.Stats().LongestWake; took != 0 {
			t.Errorf("%v before anything has happened", took)
		}
		for _, c := range []struct{ take, want time.Duration }{
			{2 * time.Millisecond, 2 * time.Millisecond}, {7 * time.Millisecond, 7 * time.Millisecond}, {time.Millisecond, 7 * time.Millisecond},
		} {
			time.Sleep(time.Second) // in which the loop has nothing to do
			r.do(lp, func() { time.Sleep(c.take) })
			synctest.Wait()
			if took := lp.Stats().LongestWake; took != c.want {
				t.Errorf("%v after a wake-up of %v, want %v", took, c.take, c.want)
			}
		}
	})
}
