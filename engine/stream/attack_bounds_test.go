package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestRoundingAtALimitKeepsTheConnection(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 100}, Config{})
	w.rate = rate{3, 1}
	c := w.connect(Options{})
	w.run(2 * second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 1000)
	w.run(120 * second)
	ci, _ := w.a.m.ConnInfo(c)
	si, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn)
	if ci.Closed && si.Received == 0 {
		t.Fatalf("received %d of a maximum of 100; closed: %v %q", si.Received, ci.Closed, ci.CloseMessage)
	}
	t.Log(si.Received, ci.Sent, ci.Closed)
}

func TestLateRejectHitsNoOtherPacket(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 10, MaxInFlight: 1, IdleTimeout: -1, SleepAfter: -1})
	s, _ := w.a.m.OpenStream(w.now, c)
	lost, stage, n := uint32(0), 0, 0
	w.hook = func(from *node, e *Entry) bool {
		switch {
		case from == w.a && e.Kind == Prepare:
			n++
			if stage == 0 && n == 5 {
				lost, stage = e.Request, 1
				return false
			}
		case from == w.b && stage == 1 && e.Request == lost:
			stage = 2
			late := must(ilp.AppendReject(nil, ilp.R00, []byte("test.hub"), nil, nil))
			w.a.m.Handle(w.now, []Entry{{Kind: Reject, Link: w.a.link, Request: lost, Packet: late}}, w.a)
		}
		return true
	}
	_ = w.a.m.SetSendMax(w.now, s, 60_000)
	w.run(600 * second)
	ci, _ := w.a.m.ConnInfo(c)
	if stage == 2 && ci.Sent != w.taken {
		t.Fatalf("sender counts %d, the connector took %d: a late R00 for a packet that had expired freed the money of another one", ci.Sent, w.taken)
	}
	t.Log(stage, n, ci.Sent, w.taken)
}

func TestReceiveLimitEventsAreCoalesced(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 100}, Config{MaxEvents: 64})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 10)
	w.run(second)
	i := uint32(c)
	m := w.a.m
	before := m.events.len()
	for k := range 3000 { // fits into one packet
		body := frame.StreamMaxMoney{StreamID: 1, ReceiveMax: Amount(1000 + k), TotalReceived: 0}.Append(nil)
		f, err := frame.ParseStreamMaxMoney(body[2:])
		if err != nil {
			t.Fatal(err)
		}
		_ = f
		m.applyFrame(i, m.conns.At(i), frame.TypeStreamMaxMoney, body[2:], nil)
	}
	if n := m.events.len() - before; n > 64 {
		t.Fatalf("%d events wait, the bound is 64", n)
	}
}

// T25: a tombstone with money is evicted by closed connections without any; the
// old money packet then opens a ghost and is credited again
func TestTombstoneOfMoneyOutlivesItsPackets(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{MaxTombstones: 4})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	s, _ := w.a.m.OpenStream(w.now, c)
	var money Entry
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			if p, _ := ilp.ParsePrepare(e.Packet); p.Amount() == 1000 && money.Packet == nil {
				money = *e
				money.Packet = append([]byte(nil), e.Packet...)
			}
		}
		return true
	}
	_ = w.a.m.SetSendMax(w.now, s, 1000)
	w.run(second)
	close := func(h ConnHandle) {
		_ = w.a.m.CloseConn(w.now, h)
		w.run(second / 10)
		for _, e := range w.b.events {
			if e.Kind == EventClosed {
				w.b.m.ReleaseConn(e.Conn)
			}
		}
		w.b.events = nil
	}
	close(c)
	before := w.b.m.Stats().Released
	for range 5 {
		h := w.connect(Options{})
		w.run(second / 10)
		close(h)
	}
	money.Link = w.b.link
	w.b.m.Handle(w.now, []Entry{money}, w.b)
	t.Logf("%+v graves %d", w.b.m.Stats(), w.b.m.graves.Len())
	for _, e := range w.b.queue {
		if r, err := ilp.ParseReject(e.Packet); err == nil {
			t.Log(r.Code())
		}
	}
	if after := w.b.m.Stats().Released; after != before {
		t.Fatalf("the same packet was credited twice within its expiry: %d, then %d", before, after)
	}
}

func TestReachedLimitIsUsedUpAndLeftAlone(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 10_300}, Config{})
	w.rate = rate{1000, 1}
	c := w.connect(Options{MaxPacketAmount: 2, IdleTimeout: -1})
	w.run(2 * second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100)
	w.run(120 * second)
	ci, _ := w.a.m.ConnInfo(c)
	if ci.Closed {
		t.Fatalf("delivered %d of at most 10300, and the connection was closed with %q", ci.Delivered, ci.CloseMessage)
	}
}
