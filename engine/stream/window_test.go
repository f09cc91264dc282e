package stream

import "testing"

func TestWindowOpensQuicklyThenSlowlyAndHalves(t *testing.T) {
	var w window
	w.init(CongestionAIMD, 1000)
	for range 100 {
		w.fulfilled(1, 0)
	}
	if w.size != initialWindow+100 {
		t.Fatalf("after 100 packets: %d", w.size)
	}
	w.congested()
	if w.size != (initialWindow+100)/2 {
		t.Fatalf("congested: %d", w.size)
	}
	before := w.size
	for range before {
		w.fulfilled(1, 0)
	}
	if w.size != before+1 {
		t.Fatalf("a window's worth later: %d", w.size)
	}
	for range 1_000_000 {
		w.fulfilled(1, 0)
	}
	if w.size != 1000 {
		t.Fatalf("in the end: %d", w.size)
	}
}

func TestSerialWindowIsOne(t *testing.T) {
	var w window
	w.init(CongestionSerial, 1000)
	w.fulfilled(1, 0)
	w.congested()
	w.fulfilled(1, 0)
	if w.size != 1 {
		t.Fatal(w.size)
	}
}

// A path holds 100 packets without queues; what is in flight beyond waits. The
// window that follows the delay settles a little above that.
func TestDelayWindowSettlesWhereQueuesBegin(t *testing.T) {
	var w window
	w.init(CongestionDelay, 10_000)
	const base, holds = 50e6, 100
	for range 200_000 {
		w.fulfilled(Instant(base*max(1, float64(w.size)/holds)), 0)
	}
	if w.size < holds || w.size > holds+3*manyQueued {
		t.Fatalf("settled at %d", w.size)
	}
	w.congested()
	if w.size > holds {
		t.Fatalf("congested: %d", w.size)
	}
}

func TestUnknownCongestionIsRefused(t *testing.T) {
	o := Options{Congestion: congestions}
	if err := o.fill(); err == nil {
		t.Fatal("taken")
	}
}
