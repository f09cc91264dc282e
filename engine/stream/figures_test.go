package stream

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestHistogramTellsWhatItWasTold(t *testing.T) {
	var h, other Histogram
	for n := range int64(1000) {
		h.record(n * 1000)
	}
	if h.Count() != 1000 || h.Max() != 999_000 {
		t.Fatalf("%d values, the largest %d", h.Count(), h.Max())
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
		got, want := float64(h.Quantile(q)), q*1e6
		if math.Abs(got-want) > want/8+2000 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	other.record(5_000_000)
	h.Merge(&other)
	if h.Count() != 1001 || h.Max() != 5_000_000 {
		t.Fatalf("merged: %d values, the largest %d", h.Count(), h.Max())
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 {
		t.Fatal("Reset leaves something")
	}
}

func TestHistogramIsExactForTheSmallest(t *testing.T) {
	var h Histogram
	for n := range int64(20) {
		h.record(n)
	}
	h.record(-5) // a clock that went back
	for q, want := range map[float64]int64{0: 0, 0.1: 0, 0.5: 8, 1: 19, 2: 19} {
		if got := h.Quantile(q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
}

func TestRoundTripsAreCounted(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			w.now += 5e6 // the way there
		}
		return true
	}
	w.pay(Options{MaxPacketAmount: 10, Congestion: CongestionSerial}, 100)
	if h := w.a.m.RoundTrips(); h.Count() != 10 || h.Max() != 5e6 || h.Quantile(0.5) != 5e6 {
		t.Errorf("%d round trips, the longest of %d ns", h.Count(), h.Max())
	}
}

func TestBrokenInvariantOfTheMoneyStopsTheMachine(t *testing.T) {
	for name, breakIt := range map[string]func(){
		"below zero":   func() { total := Amount(5); mustSub(&total, 6) },
		"past 64 bits": func() { total := maxAmount; mustAdd(&total, 1) },
	} {
		func() {
			defer func() {
				if what, _ := recover().(string); !strings.HasPrefix(what, "stream: a total ") {
					t.Errorf("%s: %q", name, what)
				}
			}()
			breakIt()
		}()
	}
}

func TestRatesForPeople(t *testing.T) {
	i := ConnInfo{RateNum: 3, RateDen: 2, LastNum: 149, LastDen: 100, SlippagePPM: 10_000}
	if i.Rate() != 1.5 || math.Abs(i.MinRate()-1.485) > 1e-12 || i.LastRate() != 1.49 {
		t.Fatalf("%v %v %v", i.Rate(), i.MinRate(), i.LastRate())
	}
	if (ConnInfo{}).Rate() != 0 {
		t.Fatal("an unknown rate is not 0")
	}
}

func TestBadOptionsAreRefusedByName(t *testing.T) {
	for name, o := range map[string]Options{
		"SlippagePPM":      {SlippagePPM: 1_000_001},
		"RateNum":          {RateNum: 1},
		"StreamWindow":     {StreamWindow: 100},
		"MaxStreamWindow":  {MaxStreamWindow: 1 << 30},
		"ConnectionWindow": {ConnectionWindow: 100},
		"MaxRemoteStreams": {MaxRemoteStreams: -1},
		"Congestion":       {Congestion: 99},
	} {
		err := o.fill()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClosedServerAnswersT99AndLetsItsConnectionsEnd(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 10)
	w.b.m.CloseServer(w.now, 1)
	w.run(5 * second)
	if _, ok := w.a.find(EventClosed); !ok {
		t.Fatal("the open connection does not end")
	}
	if info, _ := w.a.m.ConnInfo(c); info.Sent != 10 {
		t.Fatalf("sent %d", info.Sent)
	}
	refused := 0
	w.hook = func(from *node, e *Entry) bool {
		if r, err := ilp.ParseReject(e.Packet); err == nil && from == w.b && r.Code() == ilp.T99 {
			refused++
		}
		return true
	}
	w.connect(Options{})
	w.run(second)
	if refused == 0 {
		t.Fatal("a new client is not answered T99")
	}
}

func TestTombstonesAreForgottenInTime(t *testing.T) {
	w := newWorld(t, Options{}, Config{TombstoneTTL: 5e9, MaxTombstones: 2})
	for range 6 {
		c := w.connect(Options{})
		w.run(second)
		if err := w.a.m.CloseConn(w.now, c); err != nil {
			t.Fatal(err)
		}
		w.run(second)
	}
	if n := w.b.m.graves.Len(); n != 2 {
		t.Fatalf("%d tombstones of connections without money, the bound is 2", n)
	}
	w.run(20 * second)
	if n := w.b.m.graves.Len(); n != 0 {
		t.Fatalf("%d tombstones after their time", n)
	}
}

func TestHandlesOfWhatIsGoneAreRefused(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, s := w.pay(Options{}, 10)
	m := w.a.m
	m.SetConnUser(c, 7)
	m.SetStreamUser(s, 8)
	if info, _ := m.ConnInfo(c); info.User != 7 {
		t.Fatal("the tag is lost")
	}
	if info, _ := m.StreamInfo(s); info.User != 8 {
		t.Fatal("the stream's tag is lost")
	}
	if err := m.CloseConn(w.now, c); err != nil {
		t.Fatal(err)
	}
	w.run(2 * second)
	m.ReleaseConn(c)
	for what, err := range map[string]error{
		"SetSendMax":    m.SetSendMax(w.now, s, 1),
		"SetReceiveMax": m.SetReceiveMax(w.now, s, 1),
		"SetDeliverMax": m.SetDeliverMax(w.now, s, 1),
		"CloseStream":   m.CloseStream(w.now, s),
		"DestroyStream": m.DestroyStream(w.now, s, 1, ""),
		"CloseConn":     m.CloseConn(w.now, c),
		"DestroyConn":   m.DestroyConn(w.now, c, 1, ""),
	} {
		if !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, ok := m.ConnInfo(c); ok {
		t.Error("ConnInfo knows it")
	}
	if _, ok := m.SharedSecret(c); ok {
		t.Error("SharedSecret knows it")
	}
	if _, err := m.OpenStream(w.now, c); !errors.Is(err, ErrGone) {
		t.Errorf("OpenStream: %v", err)
	}
	if _, err := m.Write(w.now, s, []byte("x")); !errors.Is(err, ErrGone) {
		t.Errorf("Write: %v", err)
	}
	if _, err := m.Read(w.now, s, make([]byte, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("Read: %v", err)
	}
	if _, ok := m.HoldInfo(0); ok {
		t.Error("HoldInfo knows nothing's hold")
	}
	if err := m.Decide(w.now, 0, Accept, w.a); !errors.Is(err, ErrDecided) {
		t.Errorf("Decide: %v", err)
	}
	if err := m.Refuse(w.now, 0, "", w.a); !errors.Is(err, ErrDecided) {
		t.Errorf("Refuse: %v", err)
	}
}

func TestRefusedHoldClosesItsStreams(t *testing.T) {
	w, c := held(t, Config{Decide: true}, maxAmount, 3000)
	holds := w.pendingHolds()
	info, ok := w.b.m.HoldInfo(holds[0])
	if !ok || info.Amount != 1000 || info.StreamID != 1 || info.Deadline <= w.now {
		t.Fatalf("%v %+v", ok, info)
	}
	if err := w.b.m.Refuse(w.now, holds[0], "not today", w.b); err != nil {
		t.Fatal(err)
	}
	w.run(2 * second)
	e := w.a.expect(EventStreamClosed)
	if s, _ := w.a.m.StreamInfo(e.Stream); s.CloseMessage != "not today" || s.Sent != 0 {
		t.Fatalf("%+v", s)
	}
	if info, _ := w.a.m.ConnInfo(c); info.Closed {
		t.Fatal("the connection closed with it")
	}
}

func TestLedgerHoldsOfManyStreamsAreReleasedWhole(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{Ledger: true})
	c := w.connect(Options{})
	w.run(second)
	for range 4 {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.a.m.SetSendMax(w.now, s, 250); err != nil {
			t.Fatal(err)
		}
	}
	w.run(second)
	staged := w.b.m.Staged()
	if len(staged) != 1 || staged[0].Amount != 1000 || staged[0].ConnID == ([16]byte{}) {
		t.Fatalf("%+v", staged)
	}
	w.b.m.Committed(w.now, staged[0].Seq, w.b)
	w.run(second)
	w.books(c, 1000, 1000)
}
