package stream

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
)

func (w *mill) connect() {
	var random [30]byte
	binary.LittleEndian.PutUint64(random[:], w.rng.Uint64())
	co := CredentialOptions{}
	if w.one(10) {
		co.ReceiptNonce, co.ReceiptSecret = testSecret[:16], testSecret[:]
	}
	segment, secret, err := w.tokens.Issue(&random, co)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := ConnectConfig{Link: w.ends[0].links[w.rng.IntN(2)], Destination: []byte("test.hub.bob." + segment), SharedSecret: secret, Options: w.options()}
	if w.one(10) {
		cfg.Expiry = func(now Instant, _ []byte) Instant { return now + 4*second }
	}
	if h, err := w.ends[0].m.Connect(w.now, cfg); err == nil {
		w.conns = append(w.conns, h)
	}
}

// step does something at both ends.
func (w *mill) step() {
	a := w.ends[0]
	for _, c := range w.conns {
		first := len(a.m.Streams(c, nil)) == 0
		switch n := w.rng.IntN(40); {
		case first || n < 6 && w.one(w.calm):
			if s, err := a.m.OpenStream(w.now, c); err == nil {
				a.streams = append(a.streams, s)
			}
		case n == 6 && w.one(w.calm):
			_ = a.m.CloseConn(w.now, c)
		case n == 7:
			if w.one(4 * w.calm) {
				_ = a.m.DestroyConn(w.now, c, frame.InternalError, "enough")
			}
		}
	}
	for n, x := range w.ends {
		for _, s := range x.streams {
			i, ok := x.m.StreamInfo(s)
			if !ok {
				continue
			}
			switch w.rng.IntN(24 + 12*n) {
			case 0, 1, 2, 3, 4, 5, 6, 7:
				_ = x.m.SetSendMax(w.now, s, satAdd(satAdd(i.Sent, i.Held), w.amount()))
			case 8:
				_ = x.m.SetSendMax(w.now, s, i.Sent+i.Held)
			case 9:
				if w.one(w.calm * w.calm) {
					_, _ = x.m.Write(w.now, s, make([]byte, w.rng.IntN(3000)))
				}
			case 10:
				if w.one(4 * w.calm) {
					_ = x.m.CloseStream(w.now, s)
				}
			case 11:
				if w.one(4 * w.calm) {
					_ = x.m.DestroyStream(w.now, s, frame.ApplicationError, "no")
				}
			case 12, 13:
				_ = x.m.SetReceiveMax(w.now, s, satAdd(i.ReceiveMax, w.amount()))
			case 14:
				_ = x.m.SetDeliverMax(w.now, s, satAdd(i.Delivered, w.amount()))
			case 15:
				_, _ = x.m.Read(w.now, s, make([]byte, 5000))
			}
		}
	}
	if w.one(8) {
		l := w.rng.IntN(2)
		w.down[l] = !w.down[l]
		for _, x := range w.ends {
			if w.down[l] {
				x.m.LinkLost(w.now, x.links[l])
				x.queue[l], x.used[l], w.back[l] = nil, 0, nil
			} else {
				x.m.LinkUp(w.now, x.links[l])
			}
			for id := range x.open {
				if id.link == l {
					delete(x.open, id)
				}
			}
		}
	}
	if w.one(25) { // its parent gives it another name
		l := a.m.linkOf(a.links[0])
		a.m.setAddress(uint32(a.links[0]), l, []byte(fmt.Sprintf("test.hub.alice%d", w.rng.IntN(9))))
	}
}

func (w *mill) play() {
	for range 1 + w.rng.IntN(5) {
		w.connect()
	}
	w.run(second)
	for step := range 25 {
		w.step()
		w.run(second * Instant(1+w.rng.IntN(2)))
		if step%8 == 7 {
			w.connect()
		}
	}
	w.down = [2]bool{}
	for _, x := range w.ends {
		for _, h := range x.links {
			x.m.LinkUp(w.now, h)
		}
	}
	w.run(100 * second)
}

// difference is where two texts begin to differ.
func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		x, y := strings.Fields(a[i]), strings.Fields(b[i])
		what := strings.Join(x[:min(4, len(x))], " ") + " ..."
		for k := range min(len(x), len(y)) {
			if x[k] != y[k] {
				what += fmt.Sprintf(" %q, not %q;", x[k], y[k])
			}
		}
		return what
	}
	return fmt.Sprintf("%d lines, not %d", len(a), len(b))
}

var mills = flag.Int("mill", 10, "how many seeds TestPlainPathLeavesTheSameBehind plays")

// TestPlainPathLeavesTheSameBehind plays mills with the short way and without: each
// packet, event and record has to be the same, and no credit without room for its
// fulfill.
func TestPlainPathLeavesTheSameBehind(t *testing.T) {
	var plain, in uint64
	for seed := range uint64(*mills) {
		want, got := newMill(t, seed, true), newMill(t, seed, false)
		want.play()
		got.play()
		for _, x := range got.ends {
			plain, in = plain+x.m.plainPackets, in+x.m.stats.PacketsIn
		}
		for i := range min(len(want.log), len(got.log)) {
			if want.log[i] != got.log[i] {
				t.Fatalf("seed %d, entry %d of %d:\n%s", seed, i, len(want.log), difference(got.log[i], want.log[i]))
			}
		}
		if len(want.log) != len(got.log) {
			t.Fatalf("seed %d: %d entries, not %d", seed, len(got.log), len(want.log))
		}
	}
	t.Logf("%d of %d packets were plain", plain, in)
	if plain < 500*uint64(*mills) {
		t.Fatalf("%d of %d packets were plain: this shows too little", plain, in)
	}
}
