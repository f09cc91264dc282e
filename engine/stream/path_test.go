package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestPathThatTakesNoMoneyEndsTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		o     Options
		want  string
		money bool
	}{
		"while it looks for the rate": {Options{}, "no packet told the exchange rate precisely enough", false},
		"at a fixed rate":             {Options{RateNum: 1, RateDen: 1}, "the path's maximum packet amount is 0", true},
	} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		w.max = 0
		conn := w.connect(c.o)
		if c.money {
			s, _ := w.a.m.OpenStream(w.now, conn)
			_ = w.a.m.SetSendMax(w.now, s, 10)
		}
		w.run(20 * second)
		info, _ := w.a.m.ConnInfo(conn)
		if !info.Closed || string(info.CloseMessage) != c.want || info.Sent != 0 || info.Held != 0 || w.taken != 0 {
			t.Errorf("%s: %q, sent %d", name, info.CloseMessage, info.Sent)
		}
	}
}

func TestPathThatTakesSingleUnitsIsPaidInThem(t *testing.T) {
	for _, tells := range []bool{false, true} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		w.max, w.f08Data = 1, tells
		c := w.connect(Options{RateNum: 1, RateDen: 1})
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 20)
		w.run(5 * second)
		w.books(c, 20, 20)
	}
}

func TestServerPaysAtItsFixedRateWithoutProbing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount, RateNum: 2, RateDen: 3}, Config{})
	_, s := w.pay(Options{ReceiveMax: maxAmount}, 10)
	opened := w.b.expect(EventStreamOpened).Stream
	before := w.b.m.Stats().PreparesOut
	if err := w.b.m.SetSendMax(w.now, opened, 300); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	if info, _ := w.a.m.StreamInfo(s); info.Received != 300 {
		t.Fatalf("received %d", info.Received)
	}
	if info, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn); info.RateNum != 2 || info.RateDen != 3 || !info.Connected {
		t.Fatalf("%+v", info)
	}
	if n := w.b.m.Stats().PreparesOut - before; n != 1 {
		t.Fatalf("it took %d packets", n)
	}
}

func TestNoSourceIsEnoughAtARateOfZero(t *testing.T) {
	if got := (rate{0, 1}).source(1); got != maxAmount {
		t.Fatalf("%d", got)
	}
}

func TestRestThatNoStreamCanTakeRefusesThePacket(t *testing.T) {
	// Of 7 units 2, 2 and 2 are divided, and one is left over.
	frames := []appender{frame.StreamMoney{StreamID: 1, Shares: 1}, frame.StreamMoney{StreamID: 3, Shares: 1}, frame.StreamMoney{StreamID: 5, Shares: 1}}
	h := newHand(t, Options{}, Config{})
	h.send(0, frames...)
	limits := func(a, b, c Amount) {
		for id, limit := range map[uint64]Amount{1: a, 3: b, 5: c} {
			if err := h.m.SetReceiveMax(h.now, h.stream(id), limit); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A limit of 1 is borne to 2: senders may round up.
	limits(1, 1, 1)
	if a := h.send(7, frames...); a.fulfilled || a.code != ilp.F99 || h.info().Received != 0 {
		t.Fatalf("%+v, received %d", a, h.info().Received)
	}
	limits(1, 3, 3)
	if a := h.send(7, frames...); !a.fulfilled {
		t.Fatalf("%+v", a)
	}
	for id, want := range map[uint64]Amount{1: 2, 3: 3, 5: 2} { // the lowest that can
		if info, _ := h.m.StreamInfo(h.stream(id)); info.Received != want {
			t.Errorf("stream %d received %d, want %d", id, info.Received, want)
		}
	}
}

func TestConnectionThatMovedOrEndedIsPassedOverInItsLinksRing(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	other, err := w.a.m.AddLink(LinkConfig{Address: []byte("test.hub.alice"), AssetCode: []byte("USD"), AssetScale: 9, Account: 1})
	if err != nil {
		t.Fatal(err)
	}
	moved, ended, last := w.connect(Options{RateNum: 1, RateDen: 1}), w.connect(Options{RateNum: 1, RateDen: 1}), w.connect(Options{RateNum: 1, RateDen: 1})
	for _, c := range []ConnHandle{moved, ended, last} {
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 10)
	}
	w.idx(moved).link = uint32(other)
	_ = w.a.m.DestroyConn(w.now, ended, frame.NoError, "")
	w.a.m.ReleaseConn(ended)
	if n := w.a.m.Transmit(w.now, w.a.link, w.a); n != 1 {
		t.Fatalf("%d packets, one of three connections waits here", n)
	}
	w.run(second)
	if info, _ := w.a.m.ConnInfo(last); info.Sent != 10 {
		t.Fatalf("%+v", info)
	}
}

func TestEveryKindOfPacketGoesOutAgainAfterItsLinkWasCut(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 5}, Config{})
	c := w.connect(Options{ReceiveMax: maxAmount})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 5)
	w.run(second)
	cut := func(n *node) {
		n.drain()
		if len(n.queue) == 0 {
			t.Fatal("there is nothing to be lost")
		}
		n.queue = nil
		n.m.LinkLost(w.now, n.link)
		if in := n.m.Stats().InFlight; in != 0 {
			t.Fatalf("%d packets are in flight without a link", in)
		}
		n.m.LinkUp(w.now, n.link)
	}
	_ = w.a.m.SetReceiveMax(w.now, s, maxAmount)
	_ = w.b.m.SetReceiveMax(w.now, w.b.expect(EventStreamOpened).Stream, 77)
	cut(w.b) // a limit, and nothing else
	w.run(second)
	if info, _ := w.a.m.StreamInfo(s); info.RemoteMax != 77 {
		t.Fatalf("%+v", info)
	}
	w.a.m.setAddress(uint32(w.a.link), w.a.m.linkOf(w.a.link), []byte("test.elsewhere"))
	w.a.drain()
	w.pass(w.a)
	cut(w.b) // the trial of an address
	w.run(second)
	if info, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn); string(info.Peer[:15]) != "test.elsewhere." {
		t.Fatalf("the peer is at %s", info.Peer)
	}
}

func TestOutageWhileTheRateIsLookedForPasses(t *testing.T) {
	for _, refused := range []int{1, 4, 5, 10, 20} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		w.rate = rate{3, 2}
		left := w.refuseNext(refused, ilp.T00)
		c := w.connect(Options{})
		w.run(5 * second)
		info, _ := w.a.m.ConnInfo(c)
		if *left != 0 || !info.Connected || info.RateNum*2 != info.RateDen*3 {
			t.Errorf("after %d probes were refused for a while: %q, rate %d/%d", refused-*left, info.CloseMessage, info.RateNum, info.RateDen)
		}
	}
}

func TestOutageThatDoesNotPassEndsTheSearchForTheRate(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	left := w.refuseNext(1_000_000, ilp.T00)
	c := w.connect(Options{IdleTimeout: -1})
	w.run(200 * second)
	if info, _ := w.a.m.ConnInfo(c); !info.Closed || 1_000_000-*left > 100 {
		t.Fatalf("closed %v after %d probes", info.Closed, 1_000_000-*left)
	}
}
