package stream

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
	"pgregory.net/rapid"
)

// TestRecordsComeBackFromAFold: whatever stands in them, the fields of later days too.
func TestRecordsComeBackFromAFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(Config{Seed: seeded(1), MaxStreams: 100})
		word := func() uint64 {
			v := rapid.Uint64().Draw(t, "word")
			return []uint64{0, v & 0xff, v >> (v % 64), ^uint64(0), v}[rapid.IntRange(0, 4).Draw(t, "kind")]
		}
		fill := func(record unsafe.Pointer, n uintptr) {
			words := make([]uint64, n/8)
			for i := range words {
				words[i] = word()
			}
			putWords(record, words, n/8*8)
		}
		name := func(what string) []byte {
			return []byte(rapid.StringMatching(`[a-zA-Z0-9_~-]{0,90}(\.[a-z]{0,9})?`).Draw(t, what))
		}
		options, err := m.options.use(Options{
			MaxPacketAmount: Amount(word()), MaxInFlight: 1 + rapid.IntRange(0, 5000).Draw(t, "window"), Congestion: Congestion(rapid.IntRange(0, 2).Draw(t, "congestion")),
		})
		if err != nil {
			t.Fatal(err)
		}
		i, c, _ := m.newConn(7, 1, options)
		self, generation := c.self, c.generation
		fill(unsafe.Pointer(c), unsafe.Sizeof(*c))
		c.self, c.generation, c.options = self, generation, options
		c.firstStream, c.lastStream, c.cold, c.names = 0, 0, 0, 0
		peer, token, behind, tag := name("peer"), append([]byte("x"), name("token")...), name("behind"), name("tag")
		local := slices.Concat([]byte("test.here."), token, []byte("."), behind)
		m.setNames(c, peer, local, len("test.here."), tag)
		m.enter(i, m.tokenOf(c))
		var streams []streamRec
		for id := range uint32(rapid.IntRange(0, maxFoldedStreams).Draw(t, "streams")) {
			s, ok := m.newStream(i, c, id+1)
			if !ok {
				t.Fatal("no room")
			}
			kept := *s
			fill(unsafe.Pointer(s), unsafe.Sizeof(*s))
			s.conn, s.next, s.id, s.self, s.cold, s.data = kept.conn, kept.next, kept.id, kept.self, 0, 0
			streams = append(streams, *s)
		}
		// The list goes through next, which the fold rebuilds.
		for k, at := 0, c.firstStream; at != 0; k, at = k+1, m.streams.At(at).next {
			streams[k].conn, streams[k].next = 0, 0
		}
		if len(streams) > 1 && rapid.Bool().Draw(t, "cold") {
			m.ownCold(c).turn = m.streams.At(c.firstStream).next
		}
		was := *c
		token64, others := m.tokenOf(c), m.names.Len()
		if !m.foldAway(i, c) {
			if n := len(m.foldInto(nil, c)); n <= slab.MaxOctets || *c != was {
				t.Fatalf("%d octets are not folded", n)
			}
			return
		}
		if m.names.Len() != 0 || m.conns.Len() != 0 || m.streams.Len() != 0 || m.byID.Len() != 0 || m.tokens.Get(token64) != sleepBit|self || m.folded != 1 {
			t.Fatal("something of it is left")
		}
		if secret := m.secretOf(self); *secret != was.secret {
			t.Fatal("the secret is another")
		}
		if all := m.scratch.folded[:maxFold]; cap(all) != maxFold || !bytes.Equal(all, make([]byte, maxFold)) {
			t.Fatal("the secret is left in scratch, or where that was")
		}
		number := m.connPlaces.At(self) &^ foldedBit
		piece := m.folds.At(number)
		if got, want := whose(piece), (belongs{was.flags, was.link, was.server}); got != want {
			t.Fatalf("a walk finds %+v, not %+v", got, want)
		}
		i, c = m.layOpen(self)
		if again, place := m.folds.Alloc(len(piece)); again != number || !bytes.Equal(place, make([]byte, len(place))) {
			t.Fatal("the secret is left in the piece")
		}
		is := *c
		is.firstStream, is.lastStream, is.names, was.firstStream, was.lastStream, was.names = 0, 0, 0, 0, 0, 0
		if is != was {
			t.Fatalf("%+v\nbecame\n%+v", was, is)
		}
		if !bytes.Equal(m.peerOf(c), peer) || !bytes.Equal(m.localOf(c), local) || !bytes.Equal(m.tagOf(c), tag) || m.tokenOf(c) != token64 || m.names.Len() != others {
			t.Fatalf("the names are %q, %q, %q; they were %q, %q, %q", m.peerOf(c), m.localOf(c), m.tagOf(c), peer, local, tag)
		}
		if at, ok := m.connPlaces.Get(slab.Handle(m.connHandle(c))); !ok || at != i || m.tokens.Get(token64) != i || m.folded != 0 {
			t.Fatal("it is not found")
		}
		k := 0
		for at := c.firstStream; at != 0; k++ {
			s := *m.streams.At(at)
			next := s.next
			if place, ok := m.streamPlaces.Get(slab.Handle(m.streamHandle(&s))); !ok || place != at || s.conn != i || m.findStream(i, c, uint64(s.id)) != at {
				t.Fatalf("stream %d is not found", s.id)
			}
			if s.conn, s.next = 0, 0; k >= len(streams) || s != streams[k] {
				t.Fatalf("stream %d became %+v", k, s)
			}
			if next == 0 && c.lastStream != at {
				t.Fatal("the last stream is not the last")
			}
			at = next
		}
		if k != len(streams) {
			t.Fatalf("%d streams of %d", k, len(streams))
		}
		if c.cold != 0 && m.coldOf(c).turn != m.streams.At(c.firstStream).next {
			t.Fatal("another stream has the turn")
		}
	})
}

// dozing is a world whose only connection has paid and sleeps at both ends.
func dozing(t *testing.T, client, server Options) (w *world, a ConnHandle, s StreamHandle) {
	t.Helper()
	client.SleepAfter, server.SleepAfter = 2e9, 2e9
	server.ReceiveMax = maxAmount
	w = newWorld(t, server, Config{})
	a = w.connect(client)
	w.run(second)
	s, err := w.a.m.OpenStream(w.now, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.a.m.SetSendMax(w.now, s, 1000); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	if w.a.m.Stats().Folded != 0 {
		t.Fatal("it sleeps at once")
	}
	w.run(8 * second)
	if x, y := w.a.m.Stats(), w.b.m.Stats(); x.Folded != 1 || y.Folded != 1 || w.a.m.conns.Len()+w.b.m.conns.Len()+w.a.m.streams.Len()+w.b.m.streams.Len() != 0 {
		t.Fatalf("%d and %d connections are folded", x.Folded, y.Folded)
	}
	if x := w.a.m.Stats(); x.Connections != 1 || x.Streams != 1 {
		t.Fatalf("%d connections, %d streams", x.Connections, x.Streams)
	}
	return w, a, s
}

// TestFoldedConnectionIsWokenByWhatConcernsIt: by money both ways, octets, its end.
func TestFoldedConnectionIsWokenByWhatConcernsIt(t *testing.T) {
	never := Options{IdleTimeout: -1}
	for name, f := range map[string]func(*world, ConnHandle, StreamHandle){
		"money": func(w *world, a ConnHandle, s StreamHandle) {
			if err := w.a.m.SetSendMax(w.now, s, 5000); err != nil {
				t.Fatal(err)
			}
			w.run(second)
			if info, _ := w.a.m.StreamInfo(s); info.Sent != 5000 || info.Delivered != 5000 {
				t.Errorf("%+v", info)
			}
		},
		"money back": func(w *world, a ConnHandle, s StreamHandle) {
			if err := w.a.m.SetReceiveMax(w.now, s, 700); err != nil {
				t.Fatal(err)
			}
			w.run(second)
			b := w.b.expect(EventStreamOpened).Stream
			if err := w.b.m.SetSendMax(w.now, b, 700); err != nil {
				t.Fatal(err)
			}
			w.run(2 * second)
			if info, _ := w.a.m.StreamInfo(s); info.Received != 700 {
				t.Errorf("%+v", info)
			}
		},
		"octets": func(w *world, a ConnHandle, s StreamHandle) {
			if n, err := w.a.m.Write(w.now, s, []byte("good morning")); n != 12 || err != nil {
				t.Fatal(n, err)
			}
			w.run(second)
			var b [20]byte
			if n, err := w.b.m.Read(w.now, w.b.expect(EventStreamOpened).Stream, b[:]); string(b[:n]) != "good morning" || err != nil {
				t.Errorf("%q, %v", b[:n], err)
			}
		},
		"another stream": func(w *world, a ConnHandle, s StreamHandle) {
			z, err := w.a.m.OpenStream(w.now, a)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.a.m.SetSendMax(w.now, z, 9); err != nil {
				t.Fatal(err)
			}
			w.run(10 * second) // and both are folded together
			if x := w.b.m.Stats(); x.Folded != 1 || x.Streams != 2 || x.Released != 1009 {
				t.Errorf("%+v", x)
			}
		},
		"its end": func(w *world, a ConnHandle, s StreamHandle) { _ = w.a.m.CloseConn(w.now, a) },
		"a violent": func(w *world, a ConnHandle, s StreamHandle) {
			_ = w.a.m.DestroyConn(w.now, a, frame.InternalError, "enough")
		},
		"its stream": func(w *world, a ConnHandle, s StreamHandle) { _ = w.a.m.CloseStream(w.now, s) },
		"its server": func(w *world, a ConnHandle, s StreamHandle) { w.b.m.CloseServer(w.now, 1) },
		"its link": func(w *world, a ConnHandle, s StreamHandle) {
			w.b.m.RemoveLink(w.now, w.b.link)
			if info, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn); !info.Closed || info.Received != 1000 {
				t.Errorf("%+v", info)
			}
		},
	} {
		w, a, s := dozing(t, never, never)
		f(w, a, s)
		w.run(5 * second)
		over := name == "its end" || name == "a violent" || name == "its server"
		if info, ok := w.a.m.ConnInfo(a); !ok || info.Sent < 1000 || info.Closed != over {
			t.Errorf("%s: %+v", name, info)
		}
		if info, _ := w.a.m.StreamInfo(s); info.Closed != (over || name == "its stream") {
			t.Errorf("%s: %+v", name, info)
		}
		if w.a.m.Stats().Forged+w.b.m.Stats().Forged > 0 {
			t.Errorf("%s: some packets did not open", name)
		}
	}
}

// TestLookingWakesNobody: who asks after a folded connection is told, and it sleeps on; its
// idle deadline comes as if nobody had asked.
func TestLookingWakesNobody(t *testing.T) {
	w, a, s := dozing(t, Options{IdleTimeout: 60e9}, Options{IdleTimeout: 60e9})
	began := w.now
	for range 2 {
		info, ok := w.a.m.ConnInfo(a)
		if !ok || info.Sent != 1000 || info.Delivered != 1000 || !info.Client || !info.Connected || string(info.AssetCode) != "EUR" ||
			!bytes.HasPrefix(info.Peer, []byte("test.hub.bob.")) || !bytes.HasPrefix(info.Local, []byte("test.hub.alice.")) {
			t.Errorf("%+v", info)
		}
		w.a.m.SetConnUser(a, 1<<60)
		w.a.m.SetStreamUser(s, 77)
		if info, ok := w.a.m.StreamInfo(s); !ok || info.Sent != 1000 || info.User != 77 || info.Conn != a {
			t.Errorf("%+v", info)
		}
		if all := w.a.m.Streams(a, nil); len(all) != 1 || all[0] != s {
			t.Errorf("its streams are %v", all)
		}
		b := w.b.expect(EventAccepted).Conn
		if info, ok := w.b.m.ConnInfo(b); !ok || string(info.Tag) != "invoice" || info.Received != 1000 || w.b.m.ConnServer(b) != 1 {
			t.Errorf("%+v", info)
		}
		x, _ := w.a.m.SharedSecret(a)
		if y, ok := w.b.m.SharedSecret(b); !ok || x != y || x == [32]byte{} {
			t.Error("the secrets differ")
		}
		w.a.m.Fetch([]StreamHandle{s})
		w.a.m.LinkLost(w.now, w.a.link)
		w.a.m.LinkUp(w.now, w.a.link)
		w.run(second)
		if w.a.m.Stats().Folded != 1 || w.b.m.Stats().Folded != 1 {
			t.Fatal("it was woken")
		}
	}
	w.run(60*second - (w.now - began))
	if info, _ := w.a.m.ConnInfo(a); !info.Closed || info.User != 1<<60 || info.Sent != 1000 {
		t.Errorf("after a minute it is %+v", info)
	}
	for _, gone := range []ConnHandle{0, a + 1, a ^ 1<<32} {
		if _, ok := w.a.m.ConnInfo(gone); ok {
			t.Errorf("there is a connection %x", gone)
		}
	}
}

// TestFoldedClientTellsItsNewAddress: a link that is given another address concerns it.
func TestFoldedClientTellsItsNewAddress(t *testing.T) {
	w, a, _ := dozing(t, Options{IdleTimeout: -1}, Options{IdleTimeout: -1})
	w.a.m.now = w.now
	w.a.m.setAddress(uint32(w.a.link), w.a.m.linkOf(w.a.link), []byte("test.hub.alicia"))
	w.run(second)
	if info, _ := w.a.m.ConnInfo(a); !strings.HasPrefix(string(info.Local), "test.hub.alicia.") {
		t.Errorf("it is at %s", info.Local)
	}
	if info, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn); !strings.HasPrefix(string(info.Peer), "test.hub.alicia.") {
		t.Errorf("its peer knows it at %s", info.Peer)
	}
}

// TestReplayIsKnownAfterAFold: what a packet brought once it brings never again.
func TestReplayIsKnownAfterAFold(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount, SleepAfter: 1e9, IdleTimeout: -1}, Config{})
	packet := h.prepare(100, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.give(packet)
	h.events()
	h.now += 5 * second
	h.m.HandleTimeout(h.now, h)
	if h.m.Stats().Folded != 1 {
		t.Fatal("it is not folded")
	}
	if a := h.give(packet); a.fulfilled || h.m.Stats().Folded != 0 {
		t.Errorf("%+v", a)
	}
	if a := h.send(50, frame.StreamMoney{StreamID: 1, Shares: 1}); !a.fulfilled || h.info().Received != 150 {
		t.Errorf("%+v, received %d", a, h.info().Received)
	}
}

// TestNothingIsFoldedThatWaits: events that nobody has polled, octets that nobody has
// taken, money that waits for a link.
func TestNothingIsFoldedThatWaits(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount, SleepAfter: 1e9, IdleTimeout: -1}, Config{})
	rest := func() int {
		for range 4 {
			h.now += 2 * second
			h.m.HandleTimeout(h.now, h)
		}
		return h.m.Stats().Folded
	}
	h.send(100, frame.StreamMoney{StreamID: 1, Shares: 1})
	if rest() != 0 {
		t.Error("with an event that waits")
	}
	h.events()
	if rest() != 1 {
		t.Error("it is not folded though nothing waits")
	}
	h.m.LinkLost(h.now, h.link)
	if err := h.m.SetSendMax(h.now, h.stream(1), 5); err != nil {
		t.Fatal(err)
	}
	if h.send(0, frame.ConnectionNewAddress{Address: []byte("test.client.x")}); rest() != 0 {
		t.Error("with money to send once its link is up")
	}
}

// TestRefusedConnectionIsFoldedOnceItsPauseIsOver: nobody knows whether money will ever come
// that ends its pauses.
func TestRefusedConnectionIsFoldedOnceItsPauseIsOver(t *testing.T) {
	w, a, s := dozing(t, Options{IdleTimeout: -1}, Options{IdleTimeout: -1})
	refused := 0
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if refused++; refused == 1 {
			return must(ilp.AppendReject(nil, ilp.T04, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	if n, err := w.a.m.Write(w.now, s, []byte("x")); n != 1 {
		t.Fatal(err)
	}
	w.run(10 * second)
	if w.a.m.Stats().Folded != 1 || w.b.m.Stats().Folded != 1 || refused < 2 {
		t.Fatalf("%d packets, %d and %d are folded", refused, w.a.m.Stats().Folded, w.b.m.Stats().Folded)
	}
	if _, c, _ := w.a.m.connOf(a); !c.flags.has(flagRetrying) || c.cold == 0 {
		t.Error("it has forgotten that it was refused")
	}
}

// TestManyThatFallAsleepTogetherDoSoInPieces: the loop serves others in between.
func TestManyThatFallAsleepTogetherDoSoInPieces(t *testing.T) {
	const connections = 2000
	o := Options{RateNum: 1, RateDen: 1, ReceiveMax: maxAmount, IdleTimeout: -1, SleepAfter: 2e9}
	w := newWorld(t, o, Config{})
	for range connections {
		w.connect(o)
	}
	w.run(second)
	m, began := w.a.m, w.now+5*second
	most, last, n := 0, 0, 0
	for now := began; last < connections; n++ {
		m.HandleTimeout(now, w.a)
		folded := m.Stats().Folded
		most, last = max(most, folded-last), folded
		next, ok := m.NextTimeout()
		if !ok && folded < connections || ok && next <= now || n > connections {
			t.Fatalf("%d are folded, and nothing is to come", folded)
		}
		now = next
	}
	if most > timersTogether || n < connections/timersTogether {
		t.Errorf("%d at once, all in %d calls", most, n)
	}
}

// scant gives nothing every second time, and too little now and then.
type scant struct {
	t     *testing.T
	n     int
	out   map[*byte]int
	whole int // octets that it lent
}

func (s *scant) Lend(octets int) []byte {
	switch s.n++; {
	case s.n%2 == 0:
		return nil
	case s.n%7 == 0:
		octets--
	}
	b := make([]byte, octets+64)
	s.out[&b[0]] = len(b)
	s.whole += len(b)
	return b
}

func (s *scant) Return(b []byte) {
	if s.out[&b[0]] != len(b) {
		s.t.Errorf("%d octets come back that were never lent", len(b))
	}
	delete(s.out, &b[0])
}

// TestNothingIsReturnedThatWasNotLent: the heap serves where a lender does not.
func TestNothingIsReturnedThatWasNotLent(t *testing.T) {
	awake, asleep := &scant{t: t, out: map[*byte]int{}}, &scant{t: t, out: map[*byte]int{}}
	o := Options{RateNum: 1, RateDen: 1, ReceiveMax: maxAmount, IdleTimeout: -1, SleepAfter: 1e9}
	w := newWorld(t, o, Config{})
	w.a.m = New(Config{Seed: seeded(1), Awake: awake, Asleep: asleep})
	link, err := w.a.m.AddLink(LinkConfig{Address: []byte("test.hub.alice"), AssetCode: []byte("USD"), AssetScale: 9, Account: 1})
	if err != nil || link != w.a.link {
		t.Fatal(link, err)
	}
	for range 3 {
		for range 5000 {
			w.connect(o)
		}
		w.run(5 * second)
	}
	if n := w.a.m.Stats().Folded; n != 15_000 || awake.n < 20 || asleep.n < 20 || len(awake.out) > awake.n/3 {
		t.Errorf("%d are folded; %d and %d times was borrowed, %d is out", n, awake.n, asleep.n, len(awake.out))
	}
}

// TestEventsOfAFoldedConnectionLetItSleep: those that say all by themselves may wait while it
// does, and carry its tags as they are when they are polled.
func TestEventsOfAFoldedConnectionLetItSleep(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount, SleepAfter: 1e9, IdleTimeout: -1, NoMoneyEvents: true}, Config{})
	h.send(100, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.now += 5 * second
	h.m.HandleTimeout(h.now, h)
	h.m.SetConnUser(h.conn(), 5)
	h.m.SetStreamUser(h.stream(1), 7)
	users := map[EventKind]uint64{}
	for _, e := range h.events() {
		users[e.Kind] = e.User
	}
	if len(users) != 2 || users[EventAccepted] != 5 || users[EventStreamOpened] != 7 || h.m.Stats().Folded != 1 {
		t.Errorf("%v, %d are folded", users, h.m.Stats().Folded)
	}
}

// TestFoldedConnectionTakesLittleMemory: a quarter of a KiB, with its stream and all that
// finds it.
func TestFoldedConnectionTakesLittleMemory(t *testing.T) {
	const batch, batches = 10_000, 4
	var taken, awake counted
	o := Options{RateNum: 1, RateDen: 1, ReceiveMax: maxAmount, IdleTimeout: -1, SleepAfter: 1e9}
	w := newWorld(t, o, Config{Memory: taken.Lend, Awake: &awake, Asleep: &taken})
	for range batches {
		var all []ConnHandle
		for range batch {
			all = append(all, w.connect(o))
		}
		w.run(second / 10)
		for _, c := range all {
			s, err := w.a.m.OpenStream(w.now, c)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.a.m.SetSendMax(w.now, s, 1_000_000); err != nil {
				t.Fatal(err)
			}
		}
		w.run(4 * second)
	}
	a, b := w.a.m.Stats(), w.b.m.Stats()
	if a.Folded != batch*batches || b.Folded != a.Folded || a.Sent != batch*batches*1_000_000 || b.Released != a.Sent {
		t.Fatalf("%+v\n%+v", a, b)
	}
	if awake.now > awake.most/4 || awake.most < 2*batch*800 {
		t.Errorf("%d octets are out for connections that are awake, though none is; %d were", awake.now, awake.most)
	}
	if each := taken.now / 2 / a.Folded; each > 256 {
		t.Errorf("%d octets each, of which %d and %d its piece", each, w.a.m.folds.Len()/a.Folded, w.b.m.folds.Len()/b.Folded)
	}
}

// counted is memory of which is known how much is out.
type counted struct{ now, most int }

func (n *counted) Lend(octets int) []byte {
	n.now += octets
	n.most = max(n.most, n.now)
	return make([]byte, octets)
}

func (n *counted) Return(b []byte) { n.now -= len(b) }

// FuzzWords: what was written is read, and what follows it is left.
func FuzzWords(f *testing.F) {
	for _, text := range []string{"", "abcd", "abcd\n", "AAAA\nAAAA", "\r", "0\r000", "abcde", "ab_-.~"} {
		f.Add([]byte(text))
	}
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		words := make([]uint64, (len(in)+7)/8)
		copyWords(words, unsafe.Pointer(unsafe.SliceData(in)), uintptr(len(in)))
		b := append(appendWords([]byte("before"), words), "behind"...)
		got := make([]uint64, len(words))
		if rest := takeWords(b[len("before"):], got); !slices.Equal(got, words) || string(rest) != "behind" {
			t.Fatalf("%x became %x, and behind it is %q", words, got, rest)
		}
		for k, want := range words {
			if got := wordOf(b[len("before"):], len(words), k); got != want {
				t.Fatalf("word %d of %x is %x", k, words, got)
			}
		}
		name := appendName([]byte("before"), in)
		if text, rest := takeName(nil, append(name, "behind"...)[len("before"):]); !bytes.Equal(text, in) || string(rest) != "behind" {
			t.Fatalf("%q became %q, and behind it is %q", in, text, rest)
		}
	})
}
