package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestReplayWindowNeverAcceptsTwice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int{1, 40, 300, 5000} {
		var w replayWindow
		var far farReplay
		seen := map[uint64]bool{}
		accepted := 0
		for n := range 50_000 {
			seq := uint64(max(n+rng.IntN(2*spread)-spread, 0))
			ok := w.accept(seq, &far)
			if ok && seen[seq] {
				t.Fatalf("spread %d: %d accepted twice", spread, seq)
			}
			if ok {
				seen[seq] = true
				accepted++
			}
		}
		// Once grown, everything that is new and not too late is taken.
		if accepted < 20_000 {
			t.Errorf("spread %d: only %d accepted", spread, accepted)
		}
	}
}

func TestReplayWindowIsBounded(t *testing.T) {
	var w replayWindow
	var far farReplay
	w.accept(1<<30, &far)
	for late := uint64(1); late < 1<<22; late *= 3 {
		w.accept(1<<30-late, &far)
	}
	if len(far.words) > maxReplay/64 {
		t.Fatalf("%d words", len(far.words))
	}
}

func TestReplayedPacketCreditsNothing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	var copies []Entry
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			copies = append(copies, Entry{Kind: Prepare, Link: w.b.link, Request: 1 << 30, Packet: bytes.Clone(e.Packet)})
		}
		return true
	}
	w.max = 1000
	c, _ := w.pay(Options{}, 5000)
	w.books(c, 5000, 5000)
	var r recorderOne
	for _, e := range copies {
		if p, err := ilp.ParsePrepare(e.Packet); err != nil || p.ExpiryUnixMs() < w.now.unixMs()+1000 {
			continue
		}
		w.b.m.Handle(w.now, []Entry{e}, &r)
	}
	if r.n == 0 || w.b.m.Stats().Released != 5000 {
		t.Fatalf("%d replays, released %d", r.n, w.b.m.Stats().Released)
	}
}

func TestLatePacketOfAClosedConnectionOpensNothing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	var last Entry
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			last = Entry{Kind: Prepare, Link: w.b.link, Request: 7, Packet: bytes.Clone(e.Packet)}
		}
		return true
	}
	c := w.connect(Options{})
	w.run(second)
	if err := w.a.m.CloseConn(w.now, c); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	w.b.m.ReleaseConn(w.b.expect(EventClosed).Conn)
	var r recorderOne
	w.b.m.Handle(w.now, []Entry{last}, &r)
	reject, err := ilp.ParseReject(r.last)
	if err != nil || reject.Code() != ilp.F02 || w.b.m.Stats().Connections != 0 {
		t.Fatalf("%v %v, %d connections", err, reject.Code(), w.b.m.Stats().Connections)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := newWorld(t, Options{}, Config{MaxConnections: 3})
	for range 3 {
		w.connect(Options{})
	}
	w.run(second)
	if n := w.b.m.Stats().Connections; n != 3 {
		t.Fatalf("%d connections", n)
	}
	tokens, _ := NewTokens(testSecret[:])
	random := [30]byte{9}
	segment, secret, _ := tokens.Issue(&random, CredentialOptions{})
	if _, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: []byte("test.hub.bob." + segment), SharedSecret: secret}); err != ErrTooMany {
		t.Fatalf("a fourth connection: %v", err)
	}
}

// recorderOne is an Output that keeps the last reply and counts them.
type recorderOne struct {
	last []byte
	n    int
}

func (r *recorderOne) Room(LinkHandle) int { return 1 << 20 }
func (r *recorderOne) Reply(_ LinkHandle, _ uint32, n int) []byte {
	r.n++
	r.last = make([]byte, n)
	return r.last
}
func (r *recorderOne) Request(LinkHandle, uint32, int) []byte { return nil }
func (r *recorderOne) Forward(int, Entry)                     {}

func TestSequenceFarAheadLeavesTheWholeGrownWindowBehind(t *testing.T) {
	var w replayWindow
	var far farReplay
	for _, seq := range []uint64{1, 100, 40} { // the last one is late, and makes the window grow
		if ok := w.accept(seq, &far); seq != 40 && !ok {
			t.Fatalf("%d is refused", seq)
		}
	}
	size := far.size()
	if far.words == nil || size < 128 {
		t.Fatalf("a window of %d", size)
	}
	if !w.accept(100+2*size, &far) {
		t.Fatal("the one far ahead is refused")
	}
	for _, c := range []struct {
		seq  uint64
		want bool
	}{{99 + 2*size, true}, {40 + 2*size, true}, {1 + 2*size, true}, {100 + 2*size, false}, {101 + size, true}, {100, false}, {100 + size, false}} {
		if ok := w.accept(c.seq, &far); ok != c.want {
			t.Errorf("%d is taken: %v", c.seq, ok)
		}
	}
}

// A window that grows knows no more of what was below it than before.
func TestWindowThatHasGrownDoesNotKnowWhatWasTooLate(t *testing.T) {
	var w replayWindow
	var far farReplay
	for _, seq := range []uint64{1, 200} {
		w.accept(seq, &far)
	}
	if w.accept(100, &far); far.size() <= 100 {
		t.Fatalf("the window has %d places", far.size())
	}
	for seq := uint64(2); seq <= 200; seq++ {
		if late, want := w.tooLate(seq, &far), seq <= 200-64; late != want {
			t.Fatalf("sequence %d is too late: %v", seq, late)
		}
	}
	if w.accept(90, &far) {
		t.Error("what may have been seen is taken")
	}
}
