package stream

import (
	"math/rand/v2"
	"testing"
)

// A machine may have a million connections. What most of them do must not need the parts
// of records that few have.
func TestConnectionThatOnlyPaysHasNothingCold(t *testing.T) {
	l := newLane(t, 20, 64)
	for name, m := range map[string]*Machine{"sender": l.a, "receiver": l.b} {
		if m.stats.SentPackets+m.stats.ReleasedPackets < 1000 {
			t.Fatalf("%s: little money moved: %+v", name, m.stats)
		}
		if n := m.colds.Len(); n > 0 {
			t.Errorf("%s: %d connections have a cold part: the first is %+v", name, n, *m.colds.At(m.colds.Next(0)))
		}
		if n := m.coldStreams.Len(); n > 0 {
			t.Errorf("%s: %d streams have a cold part: the first is %+v", name, n, *m.coldStreams.At(m.coldStreams.Next(0)))
		}
		if n := m.byID.Len(); n > 0 {
			t.Errorf("%s: %d single streams are in the table", name, n)
		}
		if m.quietStream != (coldStream{}) {
			t.Errorf("%s: somebody wrote to what nobody owns: %+v", name, m.quietStream)
		}
	}
}

// TestSleepingConnectionsLeaveTheirKeysToOthers: who wakes has its own again, and nobody
// another's.
func TestSleepingConnectionsLeaveTheirKeysToOthers(t *testing.T) {
	const connections, turns = 40, 60
	w := newWorld(t, Options{ReceiveMax: maxAmount, SleepAfter: 2e9, IdleTimeout: -1}, Config{})
	r := rand.New(rand.NewPCG(3, 4))
	var streams []StreamHandle
	var want [connections]Amount
	for range connections {
		c := w.connect(Options{RateNum: 1, RateDen: 1, SleepAfter: 2e9, IdleTimeout: -1})
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	awake := func(m *Machine) (n int) {
		for i := m.conns.Next(0); i != 0; i = m.conns.Next(i) {
			c := m.conns.At(i)
			if c.flags.has(flagAsleep) == seals(m.keys, keySlot(i)) {
				t.Fatalf("connection %d has keys and sleeps, or neither: %b", i, c.flags)
			}
			if !c.flags.has(flagAsleep) {
				n++
			}
		}
		return n
	}
	for turn := range turns {
		for range 4 {
			k := r.IntN(connections)
			want[k] += Amount(1 + r.IntN(100))
			if err := w.a.m.SetSendMax(w.now, streams[k], want[k]); err != nil {
				t.Fatal(err)
			}
		}
		w.run(second)
		for _, m := range []*Machine{w.a.m, w.b.m} {
			if n := awake(m); turn > 5 && n > 20 {
				t.Fatalf("turn %d: %d connections are awake", turn, n)
			}
		}
	}
	w.run(10 * second)
	if n := awake(w.a.m) + awake(w.b.m); n > 0 {
		t.Errorf("%d connections are awake in the end", n)
	}
	var sent, received Amount
	for k, s := range streams {
		info, _ := w.a.m.StreamInfo(s)
		if info.Sent != want[k] || info.Held > 0 {
			t.Errorf("stream %d: %d sent of %d", k, info.Sent, want[k])
		}
		sent += info.Sent
	}
	for self := w.b.m.connPlaces.Next(0); self != 0; self = w.b.m.connPlaces.Next(self) {
		info, _ := w.b.m.ConnInfo(ConnHandle(w.b.m.connPlaces.Handle(self)))
		received += info.Received
	}
	if a, b := w.a.m.Stats(), w.b.m.Stats(); a.Folded != connections || b.Folded != connections {
		t.Errorf("%d and %d of %d connections are folded", a.Folded, b.Folded, connections)
	}
	if sent != received || sent == 0 {
		t.Errorf("%d sent, %d received", sent, received)
	}
	client, server := ConnHandle(w.a.m.connPlaces.Handle(1)), ConnHandle(w.b.m.connPlaces.Handle(1))
	if a, b, none := w.a.m.ConnServer(client), w.b.m.ConnServer(server), w.b.m.ConnServer(0); a != 0 || b != 1 || none != 0 {
		t.Errorf("they came in at %d and %d, and nobody at %d", a, b, none)
	}
	if w.a.m.stats.Forged+w.b.m.stats.Forged > 0 {
		t.Error("some packets did not open")
	}
}

// TestFootprintIsWhatConnectionsTake: whoever makes so much memory ready needs no more,
// and wastes little.
func TestFootprintIsWhatConnectionsTake(t *testing.T) {
	const connections = 20_000
	var taken, lent counted
	w := newWorld(t, Options{ReceiveMax: maxAmount, IdleTimeout: -1, SleepAfter: -1}, Config{Memory: taken.Lend, Awake: &lent})
	for range connections {
		w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1, SleepAfter: -1})
	}
	w.run(second)
	for _, e := range w.a.events {
		if e.Kind != EventConnected {
			continue
		}
		s, err := w.a.m.OpenStream(w.now, e.Conn)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.a.m.SetSendMax(w.now, s, 1); err != nil {
			t.Fatal(err)
		}
	}
	w.run(second)
	if n := w.b.m.stats.Released; n != connections {
		t.Fatalf("%d units arrived", n)
	}
	// Both ends.
	forTaken, forLent := Footprint(connections)
	if taken.now > 2*forTaken || lent.now > 2*forLent || taken.now+lent.now < (forTaken+forLent)*2*7/10 {
		t.Errorf("%d octets are taken of %d, and %d lent of %d", taken.now, 2*forTaken, lent.now, 2*forLent)
	}
	if a, b := Footprint(0); a != 0 || b != 0 {
		t.Errorf("none take %d and %d octets", a, b)
	}
}
