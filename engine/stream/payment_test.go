package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// pay opens a connection and a stream and sends an amount.
func (w *world) pay(o Options, amount Amount) (ConnHandle, StreamHandle) {
	w.t.Helper()
	c := w.connect(o)
	w.run(2 * second)
	w.a.expect(EventConnected)
	s, err := w.a.m.OpenStream(w.now, c)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.a.m.SetSendMax(w.now, s, amount); err != nil {
		w.t.Fatal(err)
	}
	w.run(20 * second)
	return c, s
}

// books checks sender, receiver and connector against each other.
func (w *world) books(c ConnHandle, sent, delivered Amount) {
	w.t.Helper()
	ci, _ := w.a.m.ConnInfo(c)
	si, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn)
	if ci.Sent != sent || ci.Delivered != delivered || si.Received != delivered || w.taken != sent || w.given != delivered || ci.Held != 0 {
		w.t.Fatalf("sent %d delivered %d received %d held %d, connector took %d gave %d; want %d and %d",
			ci.Sent, ci.Delivered, si.Received, ci.Held, w.taken, w.given, sent, delivered)
	}
}

func TestPaymentArrivesWhole(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 1000
	c, _ := w.pay(Options{}, 1_000_000)
	w.books(c, 1_000_000, 1_000_000)
	w.a.expect(EventTotalSent)
	w.b.expect(EventMoneyReceived)
}

func TestPaymentTellsWhatItsOwnerWants(t *testing.T) {
	for _, o := range []Options{{}, {NoMoneyEvents: true}, {NoTotalEvents: true}, {NoMoneyEvents: true, NoTotalEvents: true}} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		w.max = 1000
		c, _ := w.pay(o, 5000)
		w.books(c, 5000, 5000)
		got := map[EventKind]bool{}
		for _, e := range w.a.events {
			got[e.Kind] = true
		}
		if got[EventMoneySent] == o.NoMoneyEvents || got[EventTotalSent] == o.NoTotalEvents {
			t.Errorf("%v, %v: events %v", o.NoMoneyEvents, o.NoTotalEvents, got)
		}
	}
}

func TestPaymentAtARate(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max, w.rate = 1000, rate{3, 2}
	c, _ := w.pay(Options{}, 5000)
	w.books(c, 5000, 7500)
}

func TestPaymentOnAPathThatDoesNotTellItsMaximum(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max, w.f08Data = 700, false
	c, _ := w.pay(Options{}, 50_000)
	w.books(c, 50_000, 50_000)
}

func TestPaymentStopsAtTheReceiveMaximum(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 2500}, Config{})
	w.max = 1000
	c, _ := w.pay(Options{}, 6000)
	w.books(c, 2500, 2500)
	opened := w.b.expect(EventStreamOpened)
	if err := w.b.m.SetReceiveMax(w.now, opened.Stream, 10_000); err != nil {
		t.Fatal(err)
	}
	w.run(10 * second)
	w.books(c, 6000, 6000)
}

func TestRandomTemporaryRejectsLoseNothing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 1000
	n := 0
	w.refuse = func(_ *node, p *ilp.Prepare) []byte {
		if n++; n%20 == 0 && p.Amount() > 0 {
			code := []ilp.Code{ilp.T00, ilp.T04, ilp.R00, ilp.R01}[n/20%4]
			return must(ilp.AppendReject(nil, code, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	c, _ := w.pay(Options{}, 200_000)
	w.run(60 * second)
	w.books(c, 200_000, 200_000)
}

func TestServerSendsBack(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{ReceiveMax: maxAmount})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 10)
	w.run(second)
	opened := w.b.expect(EventStreamOpened)
	if err := w.b.m.SetSendMax(w.now, opened.Stream, 2500); err != nil {
		t.Fatal(err)
	}
	w.run(5 * second)
	if i, _ := w.a.m.StreamInfo(s); i.Received != 2500 {
		t.Fatalf("client received %d", i.Received)
	}
}

func TestDataArrivesInOrder(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	c := w.connect(Options{})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	want := make([]byte, 1_000_000)
	for i := range want {
		want[i] = byte(i*7 + i>>8)
	}
	var got []byte
	buf := make([]byte, 10_000)
	for sent := 0; sent < len(want) || len(got) < len(want); {
		n, err := w.a.m.Write(w.now, s, want[sent:])
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		w.run(second / 100)
		opened := w.b.expect(EventStreamOpened)
		for {
			n, err := w.b.m.Read(w.now, opened.Stream, buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			got = append(got, buf[:n]...)
		}
		if w.now > 1_700_000_100_000_000_000 {
			t.Fatalf("stuck at %d written, %d read", sent, len(got))
		}
	}
	if string(got) != string(want) {
		t.Fatal("octets differ")
	}
	if err := w.a.m.CloseStream(w.now, s); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	opened := w.b.expect(EventStreamOpened)
	if _, err := w.b.m.Read(w.now, opened.Stream, buf); err != ErrEnd {
		t.Fatalf("at the end: %v", err)
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, _ := w.pay(Options{}, 5000)
	if err := w.a.m.CloseConn(w.now, c); err != nil {
		t.Fatal(err)
	}
	w.run(2 * second)
	for _, n := range [...]*node{w.a, w.b} {
		e := n.expect(EventClosed)
		if e.Code != frame.NoError {
			t.Fatalf("closed with %v", e.Code)
		}
		n.m.ReleaseConn(e.Conn)
		st := n.m.Stats()
		if st.Connections != 0 || st.Streams != 0 || st.InFlight != 0 {
			t.Fatalf("left behind: %+v", st)
		}
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	tokens, _ := NewTokens(testSecret[:])
	var random [30]byte
	segment, secret, _ := tokens.Issue(&random, CredentialOptions{})
	secret[0] ^= 1
	if _, err := w.a.m.Connect(w.now, ConnectConfig{Link: w.a.link, Destination: []byte("test.hub.bob." + segment), SharedSecret: secret}); err != nil {
		t.Fatal(err)
	}
	w.run(10 * second)
	w.a.expect(EventClosed)
	if _, ok := w.b.find(EventAccepted); ok {
		t.Fatal("the server has a connection")
	}
}

func TestLinkLostInMidPaymentSpendsNothingTwice(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 1000
	c := w.connect(Options{})
	w.run(2 * second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100_000)
	n := 0
	w.hook = func(from *node, e *Entry) bool { n++; return n < 60 || w.down }
	w.run(second)
	w.a.m.LinkLost(w.now, w.a.link)
	w.b.m.LinkLost(w.now, w.b.link)
	w.a.queue, w.b.queue = nil, nil
	w.waiting = map[uint64]crossing{}
	w.hook = nil
	i, _ := w.a.m.StreamInfo(s)
	if i.Unknown == 0 || i.Sent+i.Unknown > 100_000 {
		t.Fatalf("unknown %d sent %d", i.Unknown, i.Sent)
	}
	w.a.m.LinkUp(w.now, w.a.link)
	w.b.m.LinkUp(w.now, w.b.link)
	w.run(10 * second)
	mid, _ := w.a.m.StreamInfo(s)
	if mid.Sent+mid.Unknown != 100_000 {
		t.Fatalf("after reconnect: sent %d unknown %d held %d", mid.Sent, mid.Unknown, mid.Held)
	}
	w.run(60 * second)
	if i, _ = w.a.m.StreamInfo(s); i.Sent != 100_000 || i.Held != 0 || i.Unknown != 0 {
		t.Fatalf("at the end: %+v", i)
	}
}

func TestReceiverUnreachableForAMomentIsBorne(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max = 1000
	n := 0
	until := w.now
	w.refuse = func(_ *node, p *ilp.Prepare) []byte {
		if n++; n == 30 {
			until = w.now + second
		}
		if w.now < until {
			return must(ilp.AppendReject(nil, ilp.F02, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	c, _ := w.pay(Options{}, 200_000)
	w.books(c, 200_000, 200_000)
}
