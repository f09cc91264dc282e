package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// forgeries are the ways to cost a receiver time without any money: what a peer needs
// for them, and a packet of that kind.
var forgeries = []struct {
	name string
	// destinations of which the packets take turns
	tokens func(l *lane) []string
	// bound is Config.MaxForged
	bound int
}{
	{"token=bad", func(*lane) []string {
		return segments(func(i int) string {
			var random [60]byte
			for k := range random {
				random[k] = byte(rand.Uint32())
			}
			return tokenEncoding.EncodeToString(random[:])
		})
	}, -1},
	{"token=fresh", freshTokens, -1},
	// the same of a link that has used up what it may forge
	{"token=over", freshTokens, 1024},
	{"token=one", func(*lane) []string {
		tokens, _ := NewTokens(testSecret[:])
		s, _, _ := tokens.Issue(&[30]byte{1, 2, 3, 78}, CredentialOptions{})
		return []string{s}
	}, -1},
	{"token=live", func(l *lane) []string {
		var all []string
		for i := l.b.conns.Next(0); i != 0; i = l.b.conns.Next(i) {
			all = append(all, string(l.b.localOf(l.b.conns.At(i)))[len("test.hub.bob."):])
		}
		return all
	}, -1},
	{"token=asleep", asleepTokens, -1},
	{"token=folded", foldedTokens, -1},
}

// asleepTokens are of the lane's connections, which are sent to sleep.
func asleepTokens(l *lane) (all []string) {
	for i := l.b.conns.Next(0); i != 0; i = l.b.conns.Next(i) {
		c := l.b.conns.At(i)
		l.b.sleep(i, c)
		all = append(all, string(l.b.localOf(c))[len("test.hub.bob."):])
	}
	return all
}

// foldedTokens are the same, and nothing else is left of them.
func foldedTokens(l *lane) []string {
	all := asleepTokens(l)
	for i := l.b.conns.Next(0); i != 0; i = l.b.conns.Next(i) {
		if !l.b.fold(i, l.b.conns.At(i)) {
			panic("a connection that sleeps is not folded")
		}
	}
	return all
}

// freshTokens were issued and never used.
func freshTokens(*lane) []string {
	tokens, _ := NewTokens(testSecret[:])
	return segments(func(i int) string {
		random := [30]byte{byte(i), byte(i >> 8), 77}
		s, _, _ := tokens.Issue(&random, CredentialOptions{})
		return s
	})
}

func segments(one func(i int) string) []string {
	all := make([]string, 1000)
	for i := range all {
		all[i] = one(i)
	}
	return all
}

// flood is n packets of 100 octets of garbage for the segments in turn.
func flood(l *lane, segments []string, n int) []Entry {
	in := make([]Entry, n)
	stamp := ilp.MakeTimestamp(l.now.unixMs() + 3_600_000)
	for i := range in {
		data := make([]byte, 128)
		for k := range data {
			data[k] = byte(rand.Uint32())
		}
		b, err := ilp.AppendPrepare(nil, &ilp.PrepareFields{
			Amount: 1000, Expiry: stamp, Destination: []byte("test.hub.bob." + segments[i%len(segments)]), Data: data,
		})
		if err != nil {
			panic(err)
		}
		in[i] = Entry{Kind: Prepare, Link: l.lb, Request: uint32(i), Packet: b}
	}
	return in
}

// TestForgedPacketsLeaveNothingBehind: no memory, no record, no event.
func TestForgedPacketsLeaveNothingBehind(t *testing.T) {
	for _, f := range forgeries {
		l := newLane(t, 100, 32)
		l.b.cfg.MaxForged = f.bound
		in := flood(l, f.tokens(l), 2048)
		give(l.b, l.now, in, 32, &l.answers)
		before := l.b.Stats()
		n := testing.AllocsPerRun(20, func() { give(l.b, l.now, in, 32, &l.answers) })
		if n != 0 && !strings.Contains(aesni.Tier(), "std") { // the standard library makes objects of keys
			t.Errorf("%s: %v allocations in %d packets", f.name, n, len(in))
		}
		after := l.b.Stats()
		if f.name == "token=folded" && after.Folded != after.Connections {
			t.Errorf("%s: garbage has unfolded %d of %d connections", f.name, after.Connections-after.Folded, after.Connections)
		}
		if strings.HasSuffix(f.name, "asleep") || strings.HasSuffix(f.name, "folded") {
			for i := l.b.conns.Next(0); i != 0; i = l.b.conns.Next(i) {
				if c := l.b.conns.At(i); !c.flags.has(flagAsleep) || seals(l.b.keys, keySlot(i)) {
					t.Fatalf("%s: connection %d was woken by garbage", f.name, i)
				}
			}
			for k := range MaxVector {
				if seals(l.b.keys, scratchKey(k)) {
					t.Fatalf("%s: keys are left", f.name)
				}
			}
		}
		if after.Connections != before.Connections || after.Streams != before.Streams || after.Holds != before.Holds || after.Released != before.Released {
			t.Errorf("%s: %+v became %+v", f.name, before, after)
		}
		if rejected := after.RejectsOut - before.RejectsOut; rejected != 21*uint64(len(in)) || after.Forged+after.Throttled-before.Forged-before.Throttled != rejected ||
			(f.bound > 0) != (after.Throttled > 0) {
			t.Errorf("%s: %d rejects, %d forged, of %d", f.name, rejected, after.Forged-before.Forged, 21*len(in))
		}
	}
}

// seals says whether a slot holds a key to seal with.
func seals(k *aesni.Keys, slot uint32) (holds bool) {
	defer func() { holds = recover() == nil }()
	k.Seal(&aesni.Op{Key: slot, Text: []byte{1}, Data: make([]byte, 1+aesni.Overhead)})
	return
}

// BenchmarkForged is what such packets cost in vectors of 32, beside BenchmarkReceive.
func BenchmarkForged(b *testing.B) {
	for _, f := range forgeries {
		b.Run(fmt.Sprintf("%s/n=32", f.name), func(b *testing.B) {
			l := newLane(b, 1000, 256)
			l.b.cfg.MaxForged = f.bound
			in := flood(l, f.tokens(l), 2048)
			b.ReportAllocs()
			n := 0
			start := time.Now()
			for b.Loop() {
				give(l.b, l.now, in, 32, &l.answers)
				n += len(in)
			}
			b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "ns/packet")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// TestForgedPacketTakesNothingFromTheGenuineOne: a token whose secret is remembered from a
// forged packet opens its connection as any other, with all that it says.
func TestForgedPacketTakesNothingFromTheGenuineOne(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	forged := 0
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare && forged < 3 {
			p, err := ilp.ParsePrepare(e.Packet)
			if err != nil {
				t.Fatal(err)
			}
			stamp := ilp.MakeTimestamp(p.ExpiryUnixMs())
			b, err := ilp.AppendPrepare(nil, &ilp.PrepareFields{Amount: 5, Expiry: stamp, Destination: p.Destination(), Data: make([]byte, 100)})
			if err != nil {
				t.Fatal(err)
			}
			var out recorder
			w.b.m.Handle(w.now, []Entry{{Kind: Prepare, Link: w.b.link, Packet: b}}, &out)
			forged++
		}
		return true
	}
	c, _ := w.pay(Options{}, 1000)
	w.books(c, 1000, 1000)
	if forged != 3 || w.b.m.Stats().Forged != 3 {
		t.Fatalf("%d forged, %d counted", forged, w.b.m.Stats().Forged)
	}
	if info, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn); string(info.Tag) != "invoice" {
		t.Fatalf("the tag is %q", info.Tag)
	}
}

// TestSecretIsForgottenWhereItIsNotNeeded: a connection keeps its secret itself, and wipes
// it in the end; what was remembered of its token must not outlive that.
func TestSecretIsForgottenWhereItIsNotNeeded(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 1000)
	w.books(c, 1000, 1000)
	if w.b.m.secrets == nil {
		t.Fatal("nothing was ever remembered")
	}
	if *w.b.m.secrets != ([remembered]knownSecret{}) {
		t.Fatal("the secret of a live connection is remembered beside it")
	}
}

// TestLinkThatForgesTooOftenOpensNothingForAWhile: its packets for no connection get T05
// unseen, genuine ones too; connections that are open, and other links, are served.
func TestLinkThatForgesTooOftenOpensNothingForAWhile(t *testing.T) {
	l := newLane(t, 1, 32)
	l.b.cfg.MaxForged = 100
	tokens := freshTokens(l)
	codes := func(in []Entry, vector int) string {
		give(l.b, l.now, in, vector, &l.answers)
		return codesOf(t, l.answers.entries)
	}
	before := l.b.Stats()
	if got, want := codes(flood(l, tokens, 130), 32), strings.Repeat("F02 ", 100)+strings.Repeat("T05 ", 30); got != want {
		t.Errorf("at first: %s", got)
	}
	after := l.b.Stats()
	if after.Forged-before.Forged != 100 || after.Throttled != 30 || after.Connections != before.Connections {
		t.Errorf("%+v", after)
	}
	if got := l.turn(32); got == 0 {
		t.Error("a connection that is open is not served")
	}
	if got := codes(flood(l, forgeries[4].tokens(l), 2), 1); got != "F06 F06 " {
		t.Errorf("forged packets for a connection: %s", got)
	}
	other, err := l.b.AddLink(LinkConfig{Address: []byte("test.hub.bob"), Account: 9, Server: 1})
	if err != nil {
		t.Fatal(err)
	}
	in := flood(l, tokens, 1)
	in[0].Link = other
	if got := codes(in, 1); got != "F02 " {
		t.Errorf("another link: %s", got)
	}
	l.now += forgedNs
	if got := codes(flood(l, tokens, 101), 1); got != strings.Repeat("F02 ", 100)+"T05 " {
		t.Errorf("later: %s", got)
	}
}

// codesOf are the codes of rejects, in order.
func codesOf(t *testing.T, answers []Entry) (codes string) {
	t.Helper()
	for _, e := range answers {
		r, err := ilp.ParseReject(e.Packet)
		if err != nil {
			t.Fatal(err)
		}
		codes += r.Code().String() + " "
	}
	return codes
}

// newcomersPackets are the packets that so many connections begin with, and when they
// were sent.
func newcomersPackets(t *testing.T, conns int) (packets [][]byte, at Instant) {
	t.Helper()
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			packets = append(packets, bytes.Clone(e.Packet))
		}
		return true
	}
	for range conns {
		w.connect(Options{RateNum: 1, RateDen: 1})
	}
	w.run(second)
	for _, e := range w.a.events {
		if e.Kind == EventConnected {
			s, err := w.a.m.OpenStream(w.now, e.Conn)
			if err != nil {
				t.Fatal(err)
			}
			_ = w.a.m.SetSendMax(w.now, s, 5)
		}
	}
	at = w.now
	w.run(second)
	return packets, at
}

// TestHowAFloodIsSplitChangesNothing: the law of vectors, where a link's forged packets
// run out amid genuine ones that open connections.
func TestHowAFloodIsSplitChangesNothing(t *testing.T) {
	const conns = 40
	genuine, at := newcomersPackets(t, conns)
	if len(genuine) < conns {
		t.Fatalf("%d genuine packets", len(genuine))
	}
	var first string
	for _, vector := range []int{1, 2, 7, 32, 64} {
		l := newLane(t, 1, 32)
		l.b.cfg.MaxForged = 20
		forged := flood(l, freshTokens(l), len(genuine))
		bad := flood(l, forgeries[0].tokens(l), len(genuine))
		var in []Entry
		for i, packet := range genuine {
			in = append(in, Entry{Kind: Prepare, Link: l.lb, Request: uint32(i), Packet: packet}, forged[i], bad[i])
		}
		give(l.b, at, in, vector, &l.answers)
		got := ""
		for _, e := range l.answers.entries {
			if e.Kind == Fulfill {
				got += "fulfill "
				continue
			}
			got += codesOf(t, []Entry{e})
		}
		stats := l.b.Stats()
		got += fmt.Sprint(stats.Connections, stats.Forged, stats.Throttled)
		if stats.Forged != 20 || stats.Throttled == 0 || stats.Connections < 5 {
			t.Errorf("%+v", stats)
		}
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("vectors of %d:\n%s\nbefore:\n%s", vector, got, first)
		}
	}
}

// TestBurstsOfForgedPacketsShutALinkForAnInstant: at the rate that MaxForged allows, it
// makes no difference whether they come evenly.
func TestBurstsOfForgedPacketsShutALinkForAnInstant(t *testing.T) {
	l := newLane(t, 1, 32)
	l.b.cfg.MaxForged = 100
	in := flood(l, freshTokens(l), 110)
	link := l.b.links.At(uint32(l.lb))
	shut := 0
	for at := range 5000 { // milliseconds
		if l.now += ms; at%110 == 0 {
			give(l.b, l.now, in, 32, &l.answers)
		}
		if l.b.now = l.now; l.b.floods(link) {
			shut++
		}
	}
	if shut > 5000/110*12 {
		t.Errorf("shut for %d of 5,000 ms", shut)
	}
	l.now -= 3600 * second // the clock is set back
	if l.b.now = l.now; l.b.floods(link) {
		t.Error("shut for as long as the clock was set back")
	}
}

// TestLateNewcomersArePaidFor: packets that authenticate and open nothing cost as much.
func TestLateNewcomersArePaidFor(t *testing.T) {
	genuine, at := newcomersPackets(t, 40)
	l := newLane(t, 1, 32)
	l.b.cfg.MaxForged = 20
	var in []Entry
	for i, packet := range genuine {
		in = append(in, Entry{Kind: Prepare, Link: l.lb, Request: uint32(i), Packet: packet})
	}
	give(l.b, at+3600*second, in, 32, &l.answers)
	s := l.b.Stats()
	if s.Expired != 20 || s.Throttled != uint64(len(in))-20 || s.Connections != 1 {
		t.Errorf("of %d late packets %d were looked at, %d were not; %d connections", len(in), s.Expired, s.Throttled, s.Connections)
	}
}

// TestTokenOfTwoServersOpensOneConnection: two servers may share a secret, and a token
// then authenticates at both. What it pays is taken once, in one vector as in two.
func TestTokenOfTwoServersOpensOneConnection(t *testing.T) {
	const conns = 10
	packets, at := newcomersPackets(t, conns)
	for _, vector := range []int{1, 64} {
		l := newLane(t, 1, 32)
		before := l.b.Stats()
		tokens, _ := NewTokens(testSecret[:])
		server, err := l.b.AddServer(ServerConfig{Tokens: tokens, Options: Options{ReceiveMax: maxAmount}})
		if err != nil {
			t.Fatal(err)
		}
		other, err := l.b.AddLink(LinkConfig{Address: []byte("test.hub.bob"), Account: 9, Server: server})
		if err != nil {
			t.Fatal(err)
		}
		var in []Entry
		for i, packet := range packets {
			in = append(in, Entry{Kind: Prepare, Link: l.lb, Request: uint32(2 * i), Packet: packet},
				Entry{Kind: Prepare, Link: other, Request: uint32(2*i + 1), Packet: packet})
		}
		give(l.b, at, in, vector, &l.answers)
		after := l.b.Stats()
		if n := after.Connections - before.Connections; n != conns || after.Released-before.Released != 5*conns {
			t.Errorf("vectors of %d: %d connections, %d released of %d packets", vector, n, after.Released-before.Released, len(packets))
		}
	}
}
