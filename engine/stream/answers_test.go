package stream

import (
	"bytes"
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// intercept takes the answer to alice's next packet with money out of the world.
func (w *world) intercept() *[]Entry {
	var taken []Entry
	w.hook = func(from *node, e *Entry) bool {
		if from != w.b || e.Kind == Prepare || ilp.PeekType(e.Packet) != ilp.TypeFulfill || len(taken) > 0 {
			return true
		}
		w.settle(from.peer, e)
		e.Link, e.Packet = w.a.link, slices.Clone(e.Packet)
		taken = append(taken, *e)
		return false
	}
	return &taken
}

func TestAnswerCountsOnceAndOnlyOnItsOwnLink(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{})
	other, err := w.a.m.AddLink(LinkConfig{Address: []byte("test.other"), Account: 2})
	if err != nil {
		t.Fatal(err)
	}
	w.run(second)
	taken := w.intercept()
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100)
	w.run(second)
	if len(*taken) != 1 {
		t.Fatalf("%d answers", len(*taken))
	}
	answer := (*taken)[0]
	give := func(e Entry) (sent, held Amount) {
		e.Packet = bytes.Clone(e.Packet)
		w.a.deliver([]Entry{e})
		info, _ := w.a.m.ConnInfo(c)
		return info.Sent, info.Held
	}
	elsewhere, unasked := answer, answer
	elsewhere.Link = other
	unasked.Request ^= 1 << requestIndexBits
	for name, e := range map[string]Entry{"another link": elsewhere, "another request": unasked} {
		if sent, held := give(e); sent != 0 || held != 100 {
			t.Errorf("%s: sent %d, held %d", name, sent, held)
		}
	}
	for n := range 2 {
		if sent, held := give(answer); sent != 100 || held != 0 {
			t.Errorf("taken %d times: sent %d, held %d", n+1, sent, held)
		}
	}
	reject := Entry{Kind: Reject, Link: answer.Link, Request: answer.Request, Packet: must(ilp.AppendReject(nil, ilp.T00, nil, nil, nil))}
	if sent, held := give(reject); sent != 100 || held != 0 {
		t.Errorf("rejected after that: sent %d, held %d", sent, held)
	}
}

func TestSecondAnswerOfTheSameVectorIsIgnored(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{})
	w.run(second)
	taken := w.intercept()
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100)
	w.run(second)
	reject := Entry{Kind: Reject, Link: w.a.link, Request: (*taken)[0].Request, Packet: must(ilp.AppendReject(nil, ilp.T00, nil, nil, nil))}
	w.a.deliver([]Entry{(*taken)[0], reject, (*taken)[0]})
	if info, _ := w.a.m.ConnInfo(c); info.Sent != 100 || info.Held != 0 || w.a.m.Stats().RejectsIn[ilp.T00] != 0 {
		t.Fatalf("%+v, %v", info, w.a.m.Stats().RejectsIn)
	}
}

func TestAnswerThatIsNoPacketFreesTheMoney(t *testing.T) {
	for name, c := range map[string]struct {
		kind   Kind
		packet []byte
		closed bool
	}{
		"a fulfill cut short":        {Fulfill, []byte{13, 1, 2}, false},
		"a reject instead":           {Fulfill, must(ilp.AppendReject(nil, ilp.F99, nil, nil, nil)), false},
		"no answer, but a failure":   {Failure, nil, false},
		"a reject cut short":         {Reject, []byte{14, 1, 2}, true}, // nobody can tell that it would pass
		"a fulfill, called a reject": {Reject, must(ilp.AppendFulfill(nil, &[32]byte{}, nil)), true},
	} {
		w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
		conn := w.connect(Options{})
		w.run(second)
		s, _ := w.a.m.OpenStream(w.now, conn)
		_ = w.a.m.SetSendMax(w.now, s, 100)
		w.a.drain()
		if len(w.a.queue) != 1 {
			t.Fatalf("%s: %d packets", name, len(w.a.queue))
		}
		request := w.a.queue[0].Request
		w.a.queue = nil // it never arrives
		w.a.deliver([]Entry{{Kind: c.kind, Link: w.a.link, Request: request, Packet: c.packet}})
		if info, _ := w.a.m.ConnInfo(conn); info.Held != 0 || info.Sent != 0 {
			t.Errorf("%s: %+v", name, info)
		}
		w.run(2 * second)
		if info, _ := w.a.m.ConnInfo(conn); info.Closed != c.closed || info.Held != 0 || info.Sent != w.taken || !c.closed && info.Sent != 100 {
			t.Errorf("%s: sent %d, closed %v", name, info.Sent, info.Closed)
		}
	}
}

func TestIdsOfUnansweredRequestsAreSetAsideForAWhile(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount, IdleTimeout: -1}, Config{MaxRequests: 9}) // eight at a time
	c := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1, Expiry: 5e9})
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, []byte("hello"))
	seen := map[uint32]Instant{}
	soonest := Instant(aside)
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare {
			id := e.Request & (1<<requestIndexBits - 1)
			if at, ok := seen[id]; ok {
				soonest = min(soonest, w.now-at)
			}
			seen[id] = w.now
		}
		return from == w.b // nothing arrives
	}
	m := w.a.m
	w.run(60 * second)
	if len(seen) < 3 || soonest < aside || m.setAsides()+m.Stats().InFlight != len(seen) {
		t.Fatalf("%d ids, one used again after %d ms; %d set aside, %d in flight", len(seen), soonest/1e6, m.setAsides(), m.Stats().InFlight)
	}
	w.run(200 * second) // without others the oldest are used again
	if len(seen) != 8 || soonest >= aside {
		t.Fatalf("%d ids, the soonest again after %d ms", len(seen), soonest/1e6)
	}
	w.hook = nil
	w.run(40 * second)
	if info, _ := m.StreamInfo(s); info.Buffered != 0 || string(readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream)) != "hello" {
		t.Fatalf("%+v", info)
	}
	w.run(400 * second)
	_ = m.SetSendMax(w.now, s, 1)
	w.run(second)
	if n := m.setAsides(); n != 0 {
		t.Fatalf("%d ids are set aside after their time", n)
	}
	w.books(c, 1, 1)
}

func TestMadeUpCodesAreCountedByClass(t *testing.T) {
	m := New(Config{Seed: seeded(1)})
	for _, class := range []byte("FTRX") {
		for n := range 100 {
			m.countReject(ilp.Code{class, byte(n), 1})
		}
	}
	m.countReject(ilp.F02)
	rejects := m.Stats().RejectsIn
	var sum uint64
	for _, n := range rejects {
		sum += n
	}
	if len(rejects) > 64 || sum != 401 {
		t.Fatalf("%d codes, %d rejects", len(rejects), sum)
	}
	if rejects[ilp.T99] != 100 || rejects[ilp.R99] != 100 || rejects[ilp.F99] != 40+100+1 {
		t.Fatalf("%v", rejects)
	}
}

// noRequest is a link that can take no more requests.
type noRequest struct{ *node }

func (noRequest) Request(LinkHandle, uint32, int) []byte { return nil }

// abandon has everything that a node is about to send fail, and its link lost and
// restored.
func (n *node) abandon() {
	n.w.t.Helper()
	before := n.m.Stats().PreparesOut
	for h, ok := n.m.PollReady(); ok; h, ok = n.m.PollReady() {
		if sent := n.m.Transmit(n.w.now, h, noRequest{n}); sent != 0 {
			n.w.t.Fatalf("%d packets were sent", sent)
		}
	}
	s := n.m.Stats()
	if s.PreparesOut != before || s.InFlight != 0 || n.m.pieces.Len() > 0 && n.m.rings.held() == 0 {
		n.w.t.Fatalf("after nothing could be sent: %+v", s)
	}
	n.m.LinkLost(n.w.now, n.link)
	n.m.LinkUp(n.w.now, n.link)
}

func TestWhatTheLinkDidNotTakeGoesOutLater(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{ReceiveMax: maxAmount})
	w.a.abandon() // probes
	w.run(second)
	w.a.expect(EventConnected)
	if n := w.b.m.Stats().PreparesIn; n != uint64(len(firstVolley)) {
		t.Fatalf("%d probes have arrived", n)
	}

	var streams []StreamHandle
	for range 2 {
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 500)
		_, _ = w.a.m.Write(w.now, s, []byte("hello"))
		streams = append(streams, s)
	}
	w.a.abandon() // money and data
	if info, _ := w.a.m.ConnInfo(c); info.Held != 0 || info.Sent != 0 {
		t.Fatalf("%+v", info)
	}
	w.run(second)
	w.books(c, 1000, 1000)
	for _, e := range w.b.events {
		if e.Kind == EventStreamOpened {
			if got := readAll(t, w.b.m, w.now, e.Stream); string(got) != "hello" {
				t.Fatalf("read %q", got)
			}
		}
	}

	w.a.m.setAddress(uint32(w.a.link), w.a.m.linkOf(w.a.link), []byte("test.elsewhere"))
	w.a.abandon() // the news of an address
	w.a.drain()
	news := w.a.queue[0]
	w.a.queue = nil
	w.forward(w.a, &news)
	news.Link = w.b.link
	w.b.m.Handle(w.now, []Entry{news}, w.b)
	w.b.abandon() // the trial of it
	w.run(second)
	b := w.b.expect(EventAccepted).Conn
	if info, _ := w.b.m.ConnInfo(b); !bytes.HasPrefix(info.Peer, []byte("test.elsewhere.")) {
		t.Fatalf("the peer is at %s", info.Peer)
	}

	_ = w.a.m.CloseStream(w.now, streams[0])
	w.a.abandon() // StreamClose
	w.run(second)
	if e := w.b.expect(EventStreamClosed); e.Code != frame.NoError || !e.Remote {
		t.Fatalf("%+v", e)
	}
	_ = w.a.m.DestroyConn(w.now, c, frame.ApplicationError, "enough")
	w.a.abandon() // ConnectionClose
	w.run(second)
	if e := w.b.expect(EventClosed); e.Code != frame.ApplicationError || !e.Remote {
		t.Fatalf("%+v", e)
	}
}

func TestOnlyTheCloseThatWasRefusedIsSentAgain(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c, one := w.pay(Options{}, 10)
	three, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, three, 10)
	w.run(second)
	secret, _ := w.a.m.SharedSecret(c)
	reader := newPeer(t, secret[:])
	closes := map[uint64]int{}
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		packet, ok := reader.open(p.Data())
		if from != w.a || !ok {
			return nil
		}
		refuse := false
		for it := packet.Frames(); it.Next(); {
			if it.Type() == frame.TypeStreamClose {
				f, _ := frame.ParseStreamClose(it.Body())
				closes[f.StreamID]++
				refuse = f.StreamID == 3 && closes[3] == 1
			}
		}
		if !refuse {
			return nil
		}
		return must(ilp.AppendReject(nil, ilp.T00, []byte("test.hub"), nil, nil))
	}
	for _, s := range []StreamHandle{one, three} {
		_ = w.a.m.CloseStream(w.now, s)
		w.a.drain() // a packet each, both on their way
	}
	slices.Reverse(w.a.queue)
	w.run(2 * second)
	if closes[1] != 1 || closes[3] != 2 || count(w.b.events, EventStreamClosed) != 2 {
		t.Fatalf("StreamClose frames by stream: %v", closes)
	}
}
