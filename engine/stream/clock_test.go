package stream

import "testing"

// The clock of a system may be set back by any amount. Nothing may hang for it, and what
// is due by the new clock is done in its time.

func TestClockIsSetBackWhileARequestIsOut(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	w.run(2 * second)
	s, err := w.a.m.OpenStream(w.now, c)
	if err != nil {
		t.Fatal(err)
	}
	w.a.m.HandleTimeout(w.now, w.a)
	w.now -= 60 * second
	if err := w.a.m.SetSendMax(w.now, s, 1000); err != nil {
		t.Fatal(err)
	}
	w.a.m.HandleTimeout(w.now+ms, w.a)
	w.run(second)
	if info, _ := w.a.m.StreamInfo(s); info.Sent != 1000 || w.a.m.Stats().TimedOut != 0 {
		t.Errorf("sent %d; %d requests timed out", info.Sent, w.a.m.Stats().TimedOut)
	}
}

func TestClockIsSetBackWhileConnectionsWait(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.connect(Options{RateNum: 1, RateDen: 1})
	w.run(2 * second)
	w.a.m.HandleTimeout(w.now, w.a)
	w.now -= 300 * second
	h := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: 100e9, SleepAfter: -1})
	w.a.m.HandleTimeout(w.now+ms, w.a)
	w.run(second)
	if _, ok := w.a.m.ConnInfo(h); !ok {
		t.Error("the connection is gone")
	}
}
