package transport

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockTellsTheTimeOfDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		for _, pause := range []time.Duration{0, 1, time.Millisecond, wallEvery - 1, wallEvery, time.Hour, 3 * time.Microsecond} {
			time.Sleep(pause)
			if got, want := c.begin(), time.Now().UnixNano(); got != want {
				t.Fatalf("after %v: %d ns from the time of day", pause, got-want)
			}
			time.Sleep(pause)
			if got := c.elapsed(); got != pause {
				t.Fatalf("%v after begin: %v", pause, got)
			}
		}
	})
}

// TestClockFollowsTheSystems: what the time of day was set to is known soon, also when it is
// asked for without a pause.
func TestClockFollowsTheSystems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		c.begin()
		c.unix -= int64(time.Minute) // as if the system's clock had been set forward
		for passed := time.Duration(0); ; passed += time.Millisecond {
			if c.begin() == time.Now().UnixNano() {
				if passed != wallEvery {
					t.Errorf("known after %v, want %v", passed, wallEvery)
				}
				return
			}
			if passed > wallEvery {
				t.Fatalf("not known after %v", passed)
			}
			time.Sleep(time.Millisecond)
		}
	})
}
