package slab

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const ms = int64(1_000_000)

// TestWheelAgainstAMap runs random calls on a wheel and on a map of deadlines.
func TestWheelAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tick := rapid.SampledFrom([]int64{1, 1000, ms}).Draw(t, "tick")
		w := NewWheel(tick, rapid.SampledFrom([]int{1, 3, 8, 64}).Draw(t, "slots"))
		w.atOnce = rapid.SampledFrom([]int{1, 2, 5, collectAtOnce}).Draw(t, "at once")
		deadlines := map[uint32]int64{}
		now := int64(0)
		index := rapid.OneOf(rapid.Uint32Range(1, 20), rapid.SampledFrom([]uint32{1023, 1024, 1025, 9000}))
		after := rapid.OneOf( // from within the tick to many turns away, and in the past
			rapid.Int64Range(-3*tick, 3*tick),
			rapid.Int64Range(0, 100*tick),
			rapid.Int64Range(0, 100_000*tick),
		)
		earliest := func() int64 {
			e := int64(math.MaxInt64)
			for _, d := range deadlines {
				e = min(e, d)
			}
			return e
		}
		pop := func(t *rapid.T) bool {
			i, ok := w.PopExpired(now)
			if ok != (earliest() <= now) {
				t.Fatalf("pop is %t at %d, the earliest deadline is %d", ok, now, earliest())
			}
			if d, armed := deadlines[i]; ok && (!armed || d > now) {
				t.Fatalf("popped %d: armed %t, deadline %d, now %d", i, armed, d, now)
			}
			delete(deadlines, i)
			return ok
		}
		drain := func(t *rapid.T) {
			for pop(t) {
			}
			if next, ok := w.Next(); ok && next <= now {
				t.Fatalf("drained at %d, and Next is %d", now, next)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				for range rapid.IntRange(1, 10).Draw(t, "times") {
					i, d := index.Draw(t, "index"), now+after.Draw(t, "after")
					w.Set(i, d)
					deadlines[i] = d
				}
			},
			"clear": func(t *rapid.T) {
				i := index.Draw(t, "index")
				w.Clear(i)
				delete(deadlines, i)
			},
			"pop one": func(t *rapid.T) { pop(t) },
			"drain":   drain,
			"time":    func(t *rapid.T) { now += max(0, after.Draw(t, "passes")) },
			"advance": func(t *rapid.T) { w.Advance(now) },
			"clock is set back": func(t *rapid.T) {
				now -= max(0, after.Draw(t, "by"))
				w.Advance(now)
			},
			"pop late": func(t *rapid.T) { now += 1_000_000 * tick; drain(t) },
			"sleep until next": func(t *rapid.T) {
				drain(t)
				// However the earliest was cleared, the bound becomes true soon.
				for wakes := 0; len(deadlines) > 0; wakes++ {
					now, _ = w.Next()
					if now >= earliest() {
						break
					}
					if drain(t); wakes == 1 {
						t.Fatalf("a second wake for nothing at %d, the earliest is %d", now, earliest())
					}
				}
				drain(t)
			},
			"": func(t *rapid.T) {
				if w.Len() != len(deadlines) {
					t.Fatalf("Len %d, want %d", w.Len(), len(deadlines))
				}
				for i := range uint32(30) {
					d, armed := deadlines[i]
					got, ok := w.Deadline(i)
					if w.Armed(i) != armed || ok != armed || got != d {
						t.Fatalf("item %d: armed %t until %d, want %t, %d", i, ok, got, armed, d)
					}
				}
				next, ok := w.Next()
				if ok != (len(deadlines) > 0) {
					t.Fatalf("Next is %t with %d armed", ok, len(deadlines))
				}
				if ok && next > max(earliest(), now) {
					t.Fatalf("Next %d misses the deadline %d", next, earliest())
				}
			},
		})
	})
}

func TestWheelPopsAllOfAManyTurnsWheelAtTheirTime(t *testing.T) {
	w := NewWheel(ms, 16)
	const n = 5000
	for i := range uint32(n) {
		w.Set(i+1, int64(i)*777_777)
	}
	popped, wakes := 0, 0
	for {
		now, ok := w.Next()
		if !ok {
			break
		}
		wakes++
		for {
			i, ok := w.PopExpired(now)
			if !ok {
				break
			}
			if d := int64(i-1) * 777_777; d != now {
				t.Fatalf("item %d, due %d, popped at %d", i, d, now)
			}
			popped++
		}
	}
	if popped != n || wakes != n {
		t.Errorf("popped %d of %d in %d wakes", popped, n, wakes)
	}
}

// TestFewAreCollectedTogether: a million may be due at once, and whoever serves them has
// others to serve.
func TestFewAreCollectedTogether(t *testing.T) {
	const due, later, now = 10*collectAtOnce + 3, 500, 5000 * ms
	w := NewWheel(ms, 64)
	for i := range uint32(due + later) {
		d := now - int64(i%3)*ms
		if i%6 == 5 && i/6 < later {
			d = now + 64*ms // in a later turn of the same slot
		}
		w.Set(i+1, d)
	}
	armed, popped := w.Len(), 0
	for {
		w.Advance(now)
		n := 0
		for i := w.heads[len(w.bounds)]; i != 0; i = w.at(i).next {
			n++
		}
		if n > collectAtOnce {
			t.Fatalf("%d were collected together", n)
		}
		if n == 0 {
			break
		}
		for range n {
			if at, ok := w.Next(); !ok || at != now {
				t.Fatalf("next is %d, %v", at, ok)
			}
			if _, ok := w.PopExpired(now); !ok {
				t.Fatal("nothing is popped")
			}
			popped++
		}
	}
	if at, ok := w.Next(); popped != due || w.Len() != armed-due || !ok || at != now+64*ms {
		t.Errorf("%d of %d popped, %d armed, next %d", popped, due, w.Len(), at)
	}
}

func TestTimeJumpPassesEachSlotOnce(t *testing.T) {
	w := NewWheel(1, 64)
	w.Set(1, 5)
	w.Set(2, 1<<62)
	w.Set(3, math.MaxInt64)
	// At a tick a nanosecond, walking the ticks in between would take decades.
	if i, ok := w.PopExpired(1 << 61); !ok || i != 1 {
		t.Errorf("popped %d, %t", i, ok)
	}
	if i, ok := w.PopExpired(1 << 61); ok {
		t.Errorf("popped %d before its time", i)
	}
	if next, ok := w.Next(); !ok || next != 1<<62 {
		t.Errorf("Next is %d, %t", next, ok)
	}
	if i, ok := w.PopExpired(1<<62 + 1); !ok || i != 2 {
		t.Errorf("popped %d, %t", i, ok)
	}
	if i, ok := w.PopExpired(1<<62 + 2); ok || !w.Armed(3) {
		t.Errorf("popped %d, which is due at the end of time", i)
	}
}

// TestClearedTimersCauseFewWakes is a sender's day: each packet has an expiry
// of 30 seconds that is cleared by its reply, while long idle timers share the slots.
func TestClearedTimersCauseFewWakes(t *testing.T) {
	w := NewWheel(ms, 4096)
	for i := range uint32(2000) {
		w.Set(1000+i, 60_000*ms+int64(i)*13*ms)
	}
	now, wakes := int64(0), 0
	sleep := func(until int64) {
		for {
			next, ok := w.Next()
			if !ok || next > until {
				break
			}
			now = next
			if i, ok := w.PopExpired(now); ok {
				t.Fatalf("timer %d expired at %d", i, now)
			}
			wakes++
		}
		now = until
	}
	for packet := range 29_000 { // 29 s of traffic, then silence until the idle timers
		w.Set(uint32(packet%900)+1, now+30_000*ms)
		sleep(now + ms)
		w.Clear(uint32(packet%900) + 1)
	}
	if wakes > 3 {
		t.Errorf("%d wakes for nothing in 29 s of traffic", wakes)
	}
	sleep(60_000*ms - 1)
	if wakes > 6 {
		t.Errorf("%d wakes for nothing until the first deadline", wakes)
	}
}

// A clock that is set back: what was due is not, and is again in its time. Whoever sets a
// timer again that fired too early is not handed it for ever.
func TestClockMayBeSetBack(t *testing.T) {
	w := NewWheel(ms, 8)
	w.Set(1, 50*ms)
	w.Set(2, 70*ms)
	w.Advance(100 * ms) // both wait to be popped
	if i, ok := w.PopExpired(60 * ms); !ok || i != 1 {
		t.Errorf("popped %d, %v", i, ok)
	}
	if i, ok := w.PopExpired(60 * ms); ok {
		t.Errorf("popped %d before its time", i)
	}
	if at, ok := w.Next(); !ok || at != 70*ms {
		t.Errorf("Next is %d, %v", at, ok)
	}
	if i, ok := w.PopExpired(70 * ms); !ok || i != 2 {
		t.Errorf("popped %d, %v", i, ok)
	}
}

func TestWheelMisusePanics(t *testing.T) {
	mustPanic(t, "slab: timer of index 0", func() { NewWheel(1, 1).Set(0, 1) })
	for _, f := range []func(){
		func() { NewWheel(0, 1) }, func() { NewWheel(1, 0) }, func() { NewWheel(1<<40+1, 1) }, func() { NewWheel(1, 1<<24+1) },
	} {
		mustPanic(t, "slab: wheel out of range", f)
	}
	w := NewWheel(1, 1)
	w.Clear(5000)
	if w.Armed(0) || w.Armed(5000) {
		t.Error("armed without Set")
	}
}

func TestWithinNeverPutsATimerOff(t *testing.T) {
	w := NewWheel(1000, 64)
	w.Within(1, 5000)
	w.Within(1, 90_000) // stays at 5,000
	w.Within(2, 90_000)
	w.Within(2, 5000) // comes nearer
	for _, i := range []uint32{1, 2} {
		if at, ok := w.Deadline(i); !ok || at != 5000 {
			t.Errorf("timer %d is due at %d, %v", i, at, ok)
		}
	}
	if i, ok := w.PopExpired(4999); ok {
		t.Errorf("timer %d fired too early", i)
	}
	fired := 0
	for {
		i, ok := w.PopExpired(5000)
		if !ok {
			break
		}
		if fired++; w.Armed(i) {
			t.Errorf("timer %d is armed still", i)
		}
	}
	if fired != 2 {
		t.Errorf("%d timers fired", fired)
	}
	w.Within(1, 90_000)
	if at, ok := w.Deadline(1); !ok || at != 90_000 {
		t.Errorf("armed anew it is due at %d, %v", at, ok)
	}
}
