package stream

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// tape is what a server machine was given, with the time of each entry.
type tape struct {
	at []Instant
	in []Entry
}

// record plays a busy scenario and returns everything that arrived at the
// server: several connections whose first packets share a vector, money over
// and under limits, data, closes, and beside them what a hostile path adds.
func record(t *testing.T) *tape {
	w := newWorld(t, Options{ReceiveMax: 40_000}, Config{})
	w.max = 1000
	var got tape
	n := 0
	w.hook = func(from *node, e *Entry) bool {
		if from != w.a || e.Kind != Prepare {
			return true
		}
		add := func(b []byte) {
			got.at = append(got.at, w.now)
			got.in = append(got.in, Entry{Kind: Prepare, Request: uint32(len(got.in)), Packet: b})
		}
		add(bytes.Clone(e.Packet))
		n++
		switch n % 11 {
		case 3: // the same packet again
			add(bytes.Clone(e.Packet))
		case 5: // one bit of the envelope
			b := bytes.Clone(e.Packet)
			b[len(b)-1] ^= 1
			add(b)
		case 7: // another condition
			b := bytes.Clone(e.Packet)
			if p, err := ilp.ParsePrepare(b); err == nil {
				p.Condition()[0] ^= 1
			}
			add(b)
		case 9: // too late
			b := bytes.Clone(e.Packet)
			if p, err := ilp.ParsePrepare(b); err == nil {
				stamp := ilp.MakeTimestamp(w.now.unixMs() - 1)
				p.SetExpiry(&stamp)
			}
			add(b)
		}
		return true
	}
	var conns []ConnHandle
	for range 5 {
		conns = append(conns, w.connect(Options{}))
	}
	w.run(second)
	for k, c := range conns {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.a.m.SetSendMax(w.now, s, Amount(20_000*(k+1)))
		_, _ = w.a.m.Write(w.now, s, bytes.Repeat([]byte{byte(k)}, 5000*k))
	}
	w.run(3 * second)
	_ = w.a.m.CloseConn(w.now, conns[0])
	_ = w.a.m.CloseConn(w.now, conns[3])
	w.run(3 * second)
	if len(got.in) < 200 {
		t.Fatalf("only %d packets", len(got.in))
	}
	return &got
}

// outcome is all that a machine did with a tape.
type outcome struct {
	replies [][]byte
	conns   []ConnInfo
	credits []Credit
	stats   Stats
}

type recorder struct{ replies [][]byte }

func (r *recorder) Room(LinkHandle) int { return 1 << 20 }
func (r *recorder) Reply(_ LinkHandle, request uint32, n int) []byte {
	for len(r.replies) <= int(request) {
		r.replies = append(r.replies, nil)
	}
	r.replies[request] = make([]byte, n)
	return r.replies[request]
}
func (r *recorder) Request(LinkHandle, uint32, int) []byte { return nil }
func (r *recorder) Forward(int, Entry)                     {}

// play hands the tape to a fresh server in vectors of the sizes that size gives.
func (tp *tape) play(t *testing.T, ledger bool, size func() int) outcome {
	w := newWorld(t, Options{ReceiveMax: 40_000}, Config{Ledger: ledger})
	var r recorder
	var o outcome
	for from := 0; from < len(tp.in); {
		to := min(from+size(), len(tp.in))
		for k := from; k < to; k++ {
			if tp.at[k] != tp.at[from] {
				to = k // a vector has one time
				break
			}
		}
		in := make([]Entry, to-from)
		copy(in, tp.in[from:to])
		for k := range in {
			in[k].Link, in[k].Packet = w.b.link, bytes.Clone(in[k].Packet)
		}
		w.b.m.Handle(tp.at[from], in, &r)
		o.credits = append(o.credits, w.b.m.Staged()...)
		from = to
	}
	for {
		e, ok := w.b.m.PollEvent()
		if !ok {
			break
		}
		if e.Kind == EventAccepted {
			i, _ := w.b.m.ConnInfo(e.Conn)
			i.Link = 0
			o.conns = append(o.conns, i)
		}
	}
	o.replies, o.stats = r.replies, w.b.m.Stats()
	o.stats.Vectors = 0
	return o
}

// TestAnyPartitionIntoVectorsGivesTheSameResult is the law V1.
func TestAnyPartitionIntoVectorsGivesTheSameResult(t *testing.T) {
	tp := record(t)
	for _, ledger := range []bool{false, true} {
		want := tp.play(t, ledger, func() int { return 1 })
		if want.stats.Replayed == 0 || want.stats.Forged == 0 || want.stats.Expired == 0 || want.stats.FulfillsOut+uint64(len(want.credits)) == 0 || want.stats.RejectsOut == 0 {
			t.Fatalf("the tape shows too little: %+v", want.stats)
		}
		seed := uint64(time.Now().UnixNano())
		rng := rand.New(rand.NewPCG(seed, 1))
		for round := range 30 {
			limit := []int{2, 7, 32, 64, 200}[round%5]
			got := tp.play(t, ledger, func() int { return 1 + rng.IntN(limit) })
			for k := range want.replies {
				if !bytes.Equal(want.replies[k], got.replies[k]) {
					t.Fatalf("seed %d, vectors to %d: reply %d of %d differs", seed, limit, k, len(want.replies))
				}
			}
			if len(got.conns) != len(want.conns) || len(got.credits) != len(want.credits) {
				t.Fatalf("seed %d: %d connections, %d credits; want %d, %d", seed, len(got.conns), len(got.credits), len(want.conns), len(want.credits))
			}
			for k := range want.credits {
				if got.credits[k] != want.credits[k] {
					t.Fatalf("seed %d: credit %d is %+v, want %+v", seed, k, got.credits[k], want.credits[k])
				}
			}
			for k := range want.conns {
				if a, b := got.conns[k], want.conns[k]; a.Received != b.Received || a.Closed != b.Closed || a.CloseCode != b.CloseCode {
					t.Fatalf("seed %d: connection %d is %+v, want %+v", seed, k, a, b)
				}
			}
			if got.stats.Released != want.stats.Released || got.stats.FulfillsOut != want.stats.FulfillsOut || got.stats.RejectsOut != want.stats.RejectsOut {
				t.Fatalf("seed %d: %+v, want %+v", seed, got.stats, want.stats)
			}
		}
	}
}

// Look-up wakes a connection before the packets ahead of it are decided. Its timer is
// armed in its turn all the same: those of one tick fire in order of arming.
func TestWakingInAVectorLeavesTheOrderOfTimersAlone(t *testing.T) {
	var order [2][]ConnHandle
	for k := range order {
		h := newHand(t, Options{SleepAfter: 1e9, IdleTimeout: 20e9}, Config{})
		money := frame.StreamMoney{StreamID: 1, Shares: 1}
		h.send(0, money)
		h.now += 5 * second
		h.m.HandleTimeout(h.now, h)
		if h.m.Stats().Folded != 1 {
			t.Fatal("it does not sleep")
		}
		token, peer := h.token, h.peer
		h.newClient(2)
		first := h.prepare(0, money)
		h.token, h.peer, h.sequence = token, peer, 1
		second := h.prepare(0, money)
		if k == 0 {
			h.give(first, second)
		} else {
			h.give(first)
			h.give(second)
		}
		for range 100 {
			h.now += 1e9
			h.m.HandleTimeout(h.now, h)
		}
		for _, e := range h.events() {
			if e.Kind == EventClosed {
				order[k] = append(order[k], e.Conn)
			}
		}
	}
	if len(order[0]) != 2 || !slices.Equal(order[0], order[1]) {
		t.Fatalf("in one vector they end in the order %d, in two %d", order[0], order[1])
	}
}
