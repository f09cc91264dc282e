package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

func TestClosingWhatIsClosedChangesNothing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, s := w.pay(Options{}, 10)
	m := w.a.m
	m.ReleaseStream(s) // both are open: nothing is let go
	m.ReleaseConn(c)
	if info, ok := m.StreamInfo(s); !ok || info.Sent != 10 {
		t.Fatalf("%v %+v", ok, info)
	}
	if err := m.DestroyStream(w.now, s, frame.ApplicationError, "first"); err != nil {
		t.Fatal(err)
	}
	if err := m.DestroyStream(w.now, s, frame.InternalError, "second"); err != ErrClosed {
		t.Errorf("DestroyStream: %v", err)
	}
	if err := m.CloseConn(w.now, c); err != nil {
		t.Fatal(err)
	}
	if err := m.CloseConn(w.now, c); err != ErrClosed {
		t.Errorf("CloseConn: %v", err)
	}
	if err := m.DestroyConn(w.now, c, frame.ApplicationError, "in haste"); err != nil {
		t.Fatal(err) // what ends may still be destroyed
	}
	_ = m.DestroyConn(w.now, c, frame.InternalError, "in more haste")
	w.run(5 * second)
	if err := m.DestroyConn(w.now, c, frame.InternalError, "too late"); err != ErrClosed {
		t.Errorf("DestroyConn: %v", err)
	}
	ci, _ := m.ConnInfo(c)
	si, _ := m.StreamInfo(s)
	if ci.CloseCode != frame.ApplicationError || string(ci.CloseMessage) != "in haste" || si.Code != frame.ApplicationError || si.CloseMessage != "first" {
		t.Errorf("%v %q, %v %q", ci.CloseCode, ci.CloseMessage, si.Code, si.CloseMessage)
	}
	if count(w.a.events, EventClosed) != 1 || count(w.a.events, EventStreamClosed) != 1 || count(w.b.events, EventClosed) != 1 {
		t.Errorf("%+v", w.a.events)
	}
	m.ReleaseConn(c)
	m.ReleaseStream(s)
	if n := m.Streams(c, nil); len(n) != 0 || m.Stats().Connections != 0 || m.Stats().Streams != 0 {
		t.Errorf("%d streams, %+v", len(n), m.Stats())
	}
}

func TestClosedServerLetsItsConnectionsEndOnce(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.newClient(2)
	h.send(0, frame.ConnectionClose{Code: frame.ApplicationError})
	h.m.CloseServer(h.now, h.server)
	h.m.CloseServer(h.now, h.server)
	h.newClient(1)
	h.sequence = 1
	h.closed(h.send(0), frame.NoError)
	h.newClient(3)
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); a.code != ilp.T99 {
		t.Fatalf("a new client: %+v", a)
	}
	if n := count(h.events(), EventClosed); n != 2 {
		t.Fatalf("%d connections were closed", n)
	}
}

func TestStreamsAreReleasedInAnyOrder(t *testing.T) {
	w, c, streams, _ := payWithReceipts(t, 5)
	rand.Shuffle(len(streams), func(i, j int) { streams[i], streams[j] = streams[j], streams[i] })
	for k, s := range streams {
		if info, _ := w.a.m.StreamInfo(s); info.Sent != 1000+7*Amount(k) || !info.HasReceipt {
			t.Fatalf("%+v", info)
		}
		if err := w.a.m.CloseStream(w.now, s); err != nil {
			t.Fatal(err)
		}
		w.run(second)
		w.a.m.ReleaseStream(s)
		w.a.m.ReleaseStream(s)
		left := w.a.m.Streams(c, nil)
		if len(left) != len(streams)-k-1 || slices.Contains(left, s) {
			t.Fatalf("%d streams are left after %d were released", len(left), k+1)
		}
		for _, other := range left { // they can be paid still
			info, _ := w.a.m.StreamInfo(other)
			_ = w.a.m.SetSendMax(w.now, other, info.Sent+7)
		}
		w.run(second)
		for _, other := range left {
			if info, _ := w.a.m.StreamInfo(other); info.Sent != info.SendMax {
				t.Fatalf("%+v", info)
			}
		}
		if n := w.a.m.Stats().Streams; n != len(left) || w.a.m.receipts.Len() != len(left) {
			t.Fatalf("%d records and %d receipts of %d streams", n, w.a.m.receipts.Len(), len(left))
		}
	}
	info, _ := w.a.m.ConnInfo(c)
	w.books(c, info.Sent, info.Sent)
}

func TestMoneyOfAReleasedStreamIsToldOnce(t *testing.T) {
	h := newHand(t, Options{ReceiveMax: maxAmount}, Config{})
	for range 3 { // nobody polls
		h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	}
	h.send(0, frame.StreamClose{StreamID: 1})
	h.m.ReleaseStream(h.stream(1))
	var told Amount
	var packets uint32
	for _, e := range h.events() {
		if e.Kind == EventMoneyReceived {
			told += e.Amount
			packets += e.Packets
			if e.Packets == 0 {
				t.Fatalf("told of nothing: %+v", e)
			}
		}
	}
	if told != 30 || packets != 3 {
		t.Fatalf("told of %d in %d packets", told, packets)
	}
}

func TestEventsKeepTheirOrderHoweverManyWait(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	const n = 20_000
	for k := range n {
		h.m.SetConnUser(h.connect(), uint64(k+1))
		if k%2 == 0 { // the application falls behind
			e, ok := h.m.PollEvent()
			if !ok || e.Kind != EventConnected || e.User != uint64(k/2+1) {
				t.Fatalf("%v %+v, want %d", ok, e, k/2+1)
			}
		}
	}
	for k := n / 2; k < n; k++ {
		if e, ok := h.m.PollEvent(); !ok || e.User != uint64(k+1) {
			t.Fatalf("%v %+v, want %d", ok, e, k+1)
		}
		if waste := h.m.events.queue.Cap() + h.m.events.whole.Cap(); waste > 4*n {
			t.Fatalf("room for %d events", waste)
		}
	}
	if e, ok := h.m.PollEvent(); ok {
		t.Fatalf("and %+v", e)
	}
}

// connect opens a connection that needs no probing.
func (h *hand) connect() ConnHandle {
	h.t.Helper()
	c, err := h.m.Connect(h.now, ConnectConfig{Link: h.link, Destination: []byte("test.peer.x"), Options: Options{RateNum: 1, RateDen: 1}})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func TestTombstonesOfMoneyAreKeptPastTheirBoundButNotPastAll(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{MaxConnections: 2, MaxTombstones: 1})
	for k := range 6 {
		// The server refuses new ones while it has as many as it may; the client can
		// only be asked by its own application.
		c := w.connect(Options{RateNum: 1, RateDen: 1})
		w.a.m.conns.At(uint32(c)).totalSent = 1 // as if it had moved money
		w.run(second / 10)
		_ = w.a.m.DestroyConn(w.now, c, frame.NoError, "")
		w.run(5 * second)
		local, _ := w.a.m.ConnInfo(c)
		w.a.m.ReleaseConn(c)
		if n, want := w.a.m.graves.Len(), min(k+1, 3); n != want {
			t.Fatalf("%d tombstones after %d connections, want %d", n, k+1, want)
		}
		// Whether it is remembered or not: a late packet of it opens nothing.
		h := &hand{t: t}
		w.a.m.Handle(w.now, []Entry{{Kind: Prepare, Link: w.a.link, Packet: prepare(string(local.Local), 5, [32]byte{}, w.now+second, make([]byte, 50))}}, h)
		if a := h.read(); a.code != ilp.F02 {
			t.Fatalf("connection %d: %+v", k, a)
		}
	}
}

func TestLinksAreBounded(t *testing.T) {
	m := New(Config{Seed: seeded(1)})
	n := 0
	for ; n < 1<<17; n++ {
		if _, err := m.AddLink(LinkConfig{}); err != nil {
			if !strings.Contains(err.Error(), "too many links") {
				t.Fatal(err)
			}
			break
		}
	}
	if n != 1<<16 {
		t.Fatalf("%d links", n)
	}
}

func TestIDSetKnowsWhatWasAddedAndNothingElse(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 3))
	for range 50 {
		var s idSet
		var far []idRange
		model := map[uint64]bool{}
		spread := 1 + rng.Uint64N(300)
		for range 2000 {
			// Near the lowest id that is open, as a peer's are, and now and then far off.
			n := rng.Uint64N(s.floor + spread)
			if rng.IntN(2) == 0 {
				n = s.floor
			}
			s.add(n, &far)
			model[n] = true
			for _, k := range []uint64{n, s.floor, s.floor + 63, s.floor + 64, rng.Uint64N(s.floor + 2*spread)} {
				if s.has(k, far) != model[k] {
					t.Fatalf("seed %d: %d is %v, want %v", seed, k, s.has(k, far), model[k])
				}
			}
		}
		for k, r := range far {
			if r.first < s.floor+64 || r.last < r.first || k > 0 && r.first <= far[k-1].last+1 {
				t.Fatalf("seed %d: ranges %v with a floor of %d", seed, far, s.floor)
			}
		}
	}
}

// The stream that stays open keeps the others from being told by a floor alone.
func TestClosedStreamsAreRememberedInBoundedMemory(t *testing.T) {
	for _, step := range []uint64{2, 4, 20} {
		h := newHand(t, Options{ReceiveMax: maxAmount, MaxRemoteStreams: 10}, Config{})
		h.send(0, frame.StreamMaxData{StreamID: 1, MaxOffset: 1})
		opened := 0
		for id := uint64(3); opened < 20_000; id += step {
			if a := h.send(0, frame.StreamMaxData{StreamID: id, MaxOffset: 1}, frame.StreamClose{StreamID: id, Code: frame.NoError}); !a.fulfilled {
				break
			}
			opened++
			for _, e := range h.events() {
				if e.Kind == EventStreamClosed {
					h.m.ReleaseStream(e.Stream)
				}
			}
		}
		if far := len(h.m.coldOf(h.m.conns.At(1)).farRemote); far > 11 {
			t.Errorf("ids in steps of %d: %d ranges of closed ones are remembered after %d streams", step, far, opened)
		}
		if step == 2 && opened < 20_000 {
			t.Errorf("only %d streams could be opened", opened)
		}
	}
}

func TestMessagesAreCutBetweenCharacters(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"short", 5, "short"}, {"longer", 5, "longe"}, {"größer", 4, "grö"}, {"größer", 5, "grö"}, {"größer", 3, "gr"}, {"\u20ac", 2, ""}, {"", 0, ""}} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("%d octets of %q are %q, want %q", c.n, c.text, got, c.want)
		}
	}
}

// TestTimersThatAreDueTogetherAreServedInPieces: whatever comes due at one instant, a call
// does little, says that there is more, and in the end all is done.
func TestTimersThatAreDueTogetherAreServedInPieces(t *testing.T) {
	const many = 3*timersTogether + 7
	serve := func(t *testing.T, m *Machine, now Instant, out Output, done func() int) {
		t.Helper()
		before, calls := done(), 0
		for {
			m.HandleTimeout(now, out)
			calls++
			after := done()
			if after-before > timersTogether {
				t.Fatalf("one call did %d", after-before)
			}
			before = after
			at, ok := m.NextTimeout()
			if !ok || at > now+timersPause {
				break
			}
			if at != now+timersPause || calls > many {
				t.Fatalf("after %d calls the next timeout is at %d, now is %d", calls, at, now)
			}
			now = at
		}
		if before != many || calls < many/timersTogether {
			t.Errorf("%d of %d are done, in %d calls", before, many, calls)
		}
	}
	closed := func(n *node) func() int {
		k := 0
		return func() int {
			for e, ok := n.m.PollEvent(); ok; e, ok = n.m.PollEvent() {
				if e.Kind == EventClosed {
					k++
				}
			}
			return k
		}
	}
	for _, sleeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("idle connections, folded=%v", sleeps), func(t *testing.T) {
			o := Options{RateNum: 1, RateDen: 1, ReceiveMax: maxAmount, IdleTimeout: 20e9, SleepAfter: -1}
			if sleeps {
				o.SleepAfter = 1e9
			}
			w := newWorld(t, o, Config{})
			for range many {
				w.connect(o)
			}
			w.run(10 * second)
			if folded := w.a.m.Stats().Folded; folded != many && sleeps || folded > 0 && !sleeps {
				t.Fatalf("%d are folded", folded)
			}
			count := closed(w.a)
			if n := count(); n > 0 {
				t.Fatalf("%d closed early", n)
			}
			serve(t, w.a.m, w.now+30*second, w.a, count)
		})
	}
	t.Run("requests", func(t *testing.T) {
		l := newLane(t, 50, many)
		l.transmit()
		if n := len(l.prepares.entries); n != many {
			t.Fatalf("%d are in flight", n)
		}
		serve(t, l.a, l.now+200*second, &l.answers, func() int { return many - int(l.a.links.At(slab.Handle(l.la).Index()).flight.packets) })
	})
}
