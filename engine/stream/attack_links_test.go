package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestFullPieceArrivesWithoutLoss(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20}, Config{})
	c := w.connect(Options{IdleTimeout: -1})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, []byte("hello"))
	w.run(second)
	n := 0
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.a && len(p.Data()) > 30000 && n == 0 {
			n++
			return must(ilp.AppendReject(nil, ilp.T00, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	_, _ = w.a.m.Write(w.now, s, make([]byte, 100_000))
	for range 30 {
		w.run(second)
		st := w.b.expect(EventStreamOpened).Stream
		var buf [65536]byte
		for {
			if k, _ := w.b.m.Read(w.now, st, buf[:]); k == 0 {
				break
			}
		}
	}
	if i, _ := w.a.m.StreamInfo(s); i.Buffered != 0 {
		t.Fatalf("control: %d octets", i.Buffered)
	}
}

func TestConnectionMovedToAnotherLinkGoesOn(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1, ReceiveMax: maxAmount})
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 10)
	w.run(second)
	sc := w.b.expect(EventAccepted).Conn
	st := w.b.expect(EventStreamOpened).Stream
	// a second link of the same account at the server
	l2, _ := w.b.m.AddLink(LinkConfig{Address: []byte("test.hub.bob"), AssetCode: []byte("EUR"), AssetScale: 2, Account: 1, Server: 1})
	// The server gets something to send, and before it is transmitted the first link is lost.
	_ = w.b.m.SetSendMax(w.now, st, 500)
	w.b.m.LinkLost(w.now, w.b.link)
	w.b.link = l2
	_ = w.a.m.SetSendMax(w.now, s, 20) // the client comes over the second link
	w.run(60 * second)
	i, _ := w.b.m.StreamInfo(st)
	ci, _ := w.b.m.ConnInfo(sc)
	if i.Sent != 500 {
		t.Fatalf("server sent %d of 500 in a minute; its connection is on the live link: %v", i.Sent, ci.Link == l2)
	}
}

func TestF08IsNoHotLoop(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1})
	n := 0
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.a && p.Amount() > 1000 {
			n++
			return must(ilp.AppendReject(nil, ilp.F08, []byte("test.hub"), nil, ilp.AppendTooLarge(nil, p.Amount(), p.Amount()-1)))
		}
		return nil
	}
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 1<<60)
	for range 100_000 {
		w.a.drain()
		w.pass(w.a)
		w.pass(w.b)
	}
	ci, _ := w.a.m.ConnInfo(c)
	t.Log(n, ci.Closed, string(ci.CloseMessage), ci.Held, w.idx(c).size, w.a.m.LinkIdle(w.a.link), w.idx(c).flags)
	if n > 1000 {
		t.Fatalf("%d refused packets in no time at all, without a pause", n)
	}
}

func TestExpiryInTheYear9999IsTaken(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	s, _ := w.a.m.OpenStream(w.now, c)
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			p, _ := ilp.ParsePrepare(e.Packet)
			ts := ilp.MakeTimestamp(253402300799000) // 9999-12-31
			p.SetExpiry(&ts)
		}
		return true
	}
	_ = w.a.m.SetSendMax(w.now, s, 10)
	w.run(5 * second)
	if n := w.b.m.Stats().Expired; n > 0 {
		t.Fatalf("a prepare that expires in the year 9999 is refused as expired (%d times)", n)
	}
}

func TestHiddenClientHearsOfARaisedLimit(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: 100}, Config{})
	c := w.connect(Options{HideAddress: true, IdleTimeout: -1})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 1000)
	w.run(5 * second)
	if err := w.b.m.SetReceiveMax(w.now, w.b.expect(EventStreamOpened).Stream, 10_000); err != nil {
		t.Fatal(err)
	}
	w.run(50 * second)
	if i, _ := w.a.m.StreamInfo(s); i.Sent != 1000 {
		t.Fatalf("sent %d of 1000, 50 s after the limit was raised", i.Sent)
	}
}

func TestHiddenClientsDataFlows(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	c := w.connect(Options{HideAddress: true, IdleTimeout: -1})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, make([]byte, 100_000))
	got := 0
	for range 40 {
		w.run(second)
		var buf [65536]byte
		for {
			k, _ := w.b.m.Read(w.now, w.b.expect(EventStreamOpened).Stream, buf[:])
			if k == 0 {
				break
			}
			got += k
		}
	}
	if got != 100_000 {
		t.Fatalf("%d of 100000 octets after 40 s", got)
	}
}

func TestLongCloseMessageIsCut(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("panic: %v", r)
		}
	}()
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{})
	w.run(second)
	_ = w.a.m.DestroyConn(w.now, c, frame.ApplicationError, string(make([]byte, 40000)))
	bad := 0
	w.hook = func(from *node, e *Entry) bool {
		if e.Kind == Prepare {
			if _, err := ilp.ParsePrepare(e.Packet); err != nil {
				bad++
				return false
			}
		}
		return true
	}
	w.run(10 * second)
	if bad > 0 {
		t.Fatalf("%d prepares that do not parse were sent", bad)
	}
}

func TestCommitQueueStaysSmallUnderLoad(t *testing.T) {
	w, c := held(t, Config{Ledger: true}, maxAmount, 10)
	s := w.a.m.conns.At(uint32(c)).firstStream
	h := w.a.m.streamHandle(w.a.m.streams.At(s))
	last := CommitSeq(0)
	for k := range 2000 {
		if err := w.a.m.SetSendMax(w.now, h, 10+Amount(k+1)); err != nil {
			t.Fatal(err)
		}
		w.run(1e6)
		for _, x := range w.b.m.Staged() {
			last = x.Seq
		}
		w.b.m.Committed(w.now, last-1, w.b) // all but the newest
		w.run(1e6)
	}
	if n := len(w.b.m.credits.ring); n > 1000 {
		t.Fatalf("commit queue holds %d places for %d staged holds", n, w.b.m.Stats().Holds)
	}
}

type full struct{ *node }

func (full) Room(LinkHandle) int                  { return 0 }
func (full) Reply(LinkHandle, uint32, int) []byte { return nil }

func TestNothingIsCreditedWithoutRoomForItsFulfill(t *testing.T) {
	w, c := held(t, Config{Decide: true}, maxAmount, 10_000)
	for _, h := range w.pendingHolds() {
		_ = w.b.m.Decide(w.now, h, Accept, full{w.b}) // output is at its cap
	}
	w.run(100 * second)
	for range 5 {
		for _, h := range w.pendingHolds() {
			_ = w.b.m.Decide(w.now, h, Accept, w.b)
		}
		w.run(second)
	}
	ci, _ := w.a.m.ConnInfo(c)
	if r := w.b.m.Stats().Released; r != ci.Sent || w.taken != r {
		t.Fatalf("receiver counts %d released, sender %d sent, connector %d", r, ci.Sent, w.taken)
	}
}

func TestUnitsThatArriveAsNothingAreNotSent(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	w.max, w.rate = 5000, rate{1, 10}
	c := w.connect(Options{})
	w.run(2 * second)
	s, _ := w.a.m.OpenStream(w.now, c)
	for k := range 50 {
		_ = w.a.m.SetSendMax(w.now, s, Amount(9*(k+1)))
		w.run(second)
	}
	ci, _ := w.a.m.ConnInfo(c)
	if ci.Sent > 0 && ci.Delivered == 0 {
		t.Fatalf("%d units sent, %d delivered", ci.Sent, ci.Delivered)
	}
}

func TestRejectCodesAreBounded(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	n := 0
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.a && p.Amount() > 0 {
			n++
			return must(ilp.AppendReject(nil, ilp.Code{'T', byte(n), byte(n >> 8)}, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	for range 500 {
		_ = w.connect(Options{})
	}
	w.run(30 * second)
	if k := len(w.a.m.stats.RejectsIn); k > 64 {
		t.Fatalf("%d entries in Stats.RejectsIn", k)
	}
}
