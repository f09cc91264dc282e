package stream

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
)

// newProbeClient is a client of ours, connected and with one stream, whose packets a
// test answers.
func newProbeClient(t *testing.T, cfg Config, o Options) *probeReceiver {
	t.Helper()
	var secret [32]byte
	cfg.Seed = seeded(7)
	r := &probeReceiver{t: t, m: New(cfg), now: 1_700_000_000 * second, peer: newPeer(t, secret[:])}
	var err error
	if r.link, err = r.m.AddLink(LinkConfig{Address: []byte("test.client"), AssetCode: []byte("XRP"), AssetScale: 9}); err != nil {
		t.Fatal(err)
	}
	r.conn, err = r.m.Connect(r.now, ConnectConfig{Link: r.link, Destination: []byte("test.server.token"), SharedSecret: secret, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	r.run(second)
	if r.stream, err = r.m.OpenStream(r.now, r.conn); err != nil {
		t.Fatal(err)
	}
	return r
}

// doubtful plays a client whose packets first to last stay without an answer,
// and returns it 20 s after they have expired.
func doubtful(t *testing.T, first, last int, script probeScript) *probeReceiver {
	r := newProbeClient(t, Config{}, Options{MaxPacketAmount: 100, Expiry: 5e9})
	r.script = func(a *probeAnswer, n int) []byte {
		if n >= first && n <= last {
			return []byte{}
		}
		return script(a, n)
	}
	if err := r.m.SetSendMax(r.now, r.stream, 1000); err != nil {
		t.Fatal(err)
	}
	r.run(30 * second)
	return r
}

// Whether packets 4 to 6 have arrived nobody tells: they are not paid again.
func TestWhatAReceiverWithoutTotalsMayHaveIsNotSentAgain(t *testing.T) {
	for _, totals := range []struct {
		name   string
		frames []appender
	}{{"none", nil}, {"always zero", []appender{frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount}}}} {
		var taken Amount
		most := 0
		r := doubtful(t, 4, 6, func(a *probeAnswer, n int) []byte {
			if a.fulfillable {
				taken += a.prepare.Amount()
			}
			if n > 12 {
				info, _ := a.r.m.ConnInfo(a.r.conn)
				most = max(most, int((info.Held-info.Unknown)/100))
			}
			return a.fulfill(totals.frames...)
		})
		info, _ := r.m.ConnInfo(r.conn)
		if taken != 700 || info.Sent != 700 || info.Held != 300 || info.Unknown != 300 || info.Closed {
			t.Errorf("%s: taken %d, sent %d, held %d, unknown %d, closed %v", totals.name, taken, info.Sent, info.Held, info.Unknown, info.Closed)
		}
		si, _ := r.m.StreamInfo(r.stream)
		if si.Unsettled != 300 {
			t.Errorf("%s: unsettled %d, want 300", totals.name, si.Unsettled)
		}
		told := 0
		for _, e := range r.events {
			if e == "stream: unsettled" {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%s: it is told %d times, want once", totals.name, told)
		}
		// New money goes on beside it, and what stays unsettled ends with the connection.
		if err := r.m.SetSendMax(r.now, r.stream, 2000); err != nil {
			t.Fatal(err)
		}
		r.run(10 * second)
		if info, _ := r.m.ConnInfo(r.conn); info.Sent != 1700 || info.Held != 300 {
			t.Errorf("%s: sent %d, held %d of 2000", totals.name, info.Sent, info.Held)
		}
		_ = r.m.CloseConn(r.now, r.conn)
		r.run(20 * second)
		if info, _ := r.m.ConnInfo(r.conn); !info.Closed || info.Sent != 1700 || info.Held != 0 {
			t.Errorf("%s: closed %v, sent %d, held %d", totals.name, info.Closed, info.Sent, info.Held)
		}
	}
}

func TestTotalOfTheReceiverSettlesEveryPacketInDoubt(t *testing.T) {
	for _, arrived := range []int{0, 1, 2, 3} {
		var total Amount
		r := doubtful(t, 4, 6, func(a *probeAnswer, n int) []byte {
			if n == 7 {
				total += Amount(100 * arrived) // of packets 4 to 6
			}
			if a.fulfillable {
				total += a.prepare.Amount()
			}
			return a.fulfill(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: maxAmount, TotalReceived: total})
		})
		info, _ := r.m.ConnInfo(r.conn)
		if info.Sent != 1000 || info.Delivered != 1000 || total != 1000 || info.Held != 0 {
			t.Errorf("%d arrived: sent %d, delivered %d, held %d; the receiver has %d", arrived, info.Sent, info.Delivered, info.Held, total)
		}
	}
}

func TestLikeliestFindsThePacketsThatArrived(t *testing.T) {
	for _, c := range []struct {
		name  string
		ahead Amount
		sizes []Amount
		want  []bool
		rest  Amount
	}{
		{"nothing arrived", 0, []Amount{5, 5}, []bool{false, false}, 0},
		{"all arrived", 10, []Amount{5, 5}, []bool{true, true}, 0},
		{"the second, exactly", 7, []Amount{9, 7}, []bool{false, true}, 0},
		{"the small ones", 5, []Amount{9, 2, 3}, []bool{false, true, true}, 0},
		{"nearest from below, when the rate has moved", 99, []Amount{50, 100, 30}, []bool{true, false, true}, 19},
		{"rather too few", 105, []Amount{100, 110}, []bool{true, false}, 5},
		{"several sizes", 1234, []Amount{1000, 234, 500, 500, 234}, []bool{true, true, false, false, false}, 0},
		{"too little for any", 1, []Amount{50, 100}, []bool{false, false}, 1},
		{"more than all", 1000, []Amount{50, 100}, []bool{true, true}, 850},
	} {
		if got, rest := likeliest(c.ahead, c.sizes); !slices.Equal(got, c.want) || rest != c.rest {
			t.Errorf("%s: %v and %d, want %v and %d", c.name, got, rest, c.want, c.rest)
		}
	}
	// Many of one size are exact, however many.
	sizes := make([]Amount, 1000)
	for i := range sizes {
		sizes[i] = 10
	}
	n := 0
	of, _ := likeliest(7770, sizes)
	for _, arrived := range of {
		if arrived {
			n++
		}
	}
	if n != 777 {
		t.Errorf("%d of 1000 arrived, want 777", n)
	}
	// Thousands of sizes end in time.
	for i := range sizes {
		sizes[i] = Amount(1_000_000 + 7919*i)
	}
	began := time.Now()
	likeliest(123_456_789, sizes)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// What likeliest finds is the best of all choices, where they are few enough to try.
func TestLikeliestIsTheNearest(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		sizes := make([]Amount, 1+r.IntN(8))
		for i := range sizes {
			sizes[i] = Amount(r.IntN(12))
		}
		sum := func(taken func(int) bool) (sum Amount) {
			for i, size := range sizes {
				if taken(i) {
					sum += size
				}
			}
			return sum
		}
		ahead, best := Amount(r.IntN(60)), Amount(0)
		for choice := range 1 << len(sizes) {
			if all := sum(func(i int) bool { return choice>>i&1 != 0 }); all <= ahead {
				best = max(best, all)
			}
		}
		arrived, rest := likeliest(ahead, sizes)
		if all := sum(func(i int) bool { return arrived[i] }); all != best || rest != ahead-all {
			t.Fatalf("seed %d: of %d ahead %v of %v have arrived, %d are missing; %d is the best", seed, ahead, arrived, sizes, rest, best)
		}
	}
}
