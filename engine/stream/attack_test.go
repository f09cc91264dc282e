package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

func TestNoKeyIsWipedInsideAVector(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	x := w.connect(Options{})
	y := w.connect(Options{})
	w.run(second)
	sx, _ := w.a.m.OpenStream(w.now, x)
	sy, _ := w.a.m.OpenStream(w.now, y)
	_ = w.a.m.SetSendMax(w.now, sx, 10)
	w.run(second)
	var serverConns []ConnHandle
	for _, e := range w.b.events {
		if e.Kind == EventAccepted {
			serverConns = append(serverConns, e.Conn)
		}
	}
	var held []Entry
	w.hook = func(from *node, e *Entry) bool {
		if from == w.b && e.Kind != Prepare {
			held = append(held, *e)
			held[len(held)-1].Packet = append([]byte(nil), e.Packet...)
			return false
		}
		return true
	}
	_ = w.a.m.SetSendMax(w.now, sy, 10)
	w.run(second / 100)
	if len(held) != 1 || ilp.PeekType(held[0].Packet) != ilp.TypeFulfill {
		t.Fatalf("held %d", len(held))
	}
	ful := held[0]
	ful.Kind = Fulfill
	w.hook = nil
	_ = w.b.m.DestroyConn(w.now, serverConns[1], frame.ApplicationError, "")
	w.run(second)
	if i, _ := w.a.m.ConnInfo(y); !i.Closed {
		t.Fatal("y still open (order of accepts?)")
	}
	w.a.m.ReleaseConn(y)
	var closing Entry
	w.hook = func(from *node, e *Entry) bool {
		if from == w.b && e.Kind == Prepare {
			closing = *e
			return false
		}
		return true
	}
	_ = w.b.m.DestroyConn(w.now, serverConns[0], frame.ApplicationError, "")
	w.run(second / 100)
	closing.Link, ful.Link = w.a.link, w.a.link
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("the shard is stopped by a peer: %v", r)
		}
	}()
	w.a.m.Handle(w.now, []Entry{closing, ful}, w.a)
}

func (w *world) idx(h ConnHandle) *conn { return w.a.m.conns.At(uint32(h)) }

func TestLostFullPieceFitsAgain(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20}, Config{})
	c := w.connect(Options{IdleTimeout: -1})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, []byte("hello")) // so that the window is told
	w.run(second)
	w.idx(c).nextSequence = 255
	n := 0
	w.refuse = func(from *node, p *ilp.Prepare) []byte {
		if from == w.a && len(p.Data()) > 30000 && n == 0 {
			n++
			return must(ilp.AppendReject(nil, ilp.T00, []byte("test.hub"), nil, nil))
		}
		return nil
	}
	if k, err := w.a.m.Write(w.now, s, make([]byte, 100_000)); k != 100_000 || err != nil {
		t.Fatal(k, err)
	}
	for range 30 {
		w.run(second)
		st := w.b.expect(EventStreamOpened).Stream
		var buf [65536]byte
		for {
			k, _ := w.b.m.Read(w.now, st, buf[:])
			if k == 0 {
				break
			}
		}
	}
	i, _ := w.a.m.StreamInfo(s)
	if n != 1 || i.Buffered != 0 {
		t.Fatalf("refused %d: after 30 s on a sound path %d octets are still not sent", n, i.Buffered)
	}
}

func TestPacketTooLateForTheWindowLosesNoData(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20}, Config{})
	c := w.connect(Options{})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	for range 200 { // open the window
		_, _ = w.a.m.Write(w.now, s, []byte("x"))
		w.run(1e6)
	}
	var held []Entry
	first := true
	w.hook = func(from *node, e *Entry) bool {
		if from == w.a && e.Kind == Prepare && first {
			first = false
			held = append(held, *e)
			return false
		}
		return true
	}
	for range 70 {
		_, _ = w.a.m.Write(w.now, s, []byte("y"))
		w.a.drain()
	}
	w.run(1e6)
	w.hook = nil
	w.a.queue = append(w.a.queue, held...) // the one that took another way
	w.run(20 * second)
	st := w.b.expect(EventStreamOpened).Stream
	var buf [65536]byte
	got, _ := w.b.m.Read(w.now, st, buf[:])
	i, _ := w.a.m.StreamInfo(s)
	if got != 270 {
		t.Fatalf("receiver can read %d of 270 octets; the sender thinks %d are still to arrive", got, i.Buffered)
	}
}

func TestClosedStreamsAreFreed(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{})
	w.run(second)
	for k := range 100 {
		w.run(second / 10)
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(k, err)
		}
		_ = w.a.m.SetSendMax(w.now, s, 10*Amount(1))
		w.run(second / 10)
		_ = w.a.m.CloseStream(w.now, s)
		w.a.m.ReleaseStream(s) // as engine.tellConn does before it transmits
		w.run(second / 10)
		for _, e := range w.b.events {
			if e.Kind == EventStreamClosed {
				w.b.m.ReleaseStream(e.Stream)
			}
		}
		w.b.events = nil
	}
	if n := w.a.m.Stats().Streams; n > 5 {
		t.Fatalf("%d stream records live after 100 were closed and released (peer has %d)", n, w.b.m.Stats().Streams)
	}
}

func TestUnreadDataOfClosedStreamsGivesTheWindowBack(t *testing.T) {
	w := newWorld(t, Options{ConnectionWindow: 65534}, Config{})
	c := w.connect(Options{})
	w.run(second)
	for k := range 8 {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.a.m.Write(w.now, s, make([]byte, 16000)); n != 16000 || err != nil {
			t.Fatal(k, n, err)
		}
		w.run(second)
		i, _ := w.a.m.StreamInfo(s)
		if i.Buffered != 0 {
			t.Fatalf("stream %d: %d octets stall: earlier streams, closed and released, hold the window", k, i.Buffered)
		}
		st := StreamHandle(0)
		for _, e := range w.b.events {
			if e.Kind == EventStreamOpened {
				st = e.Stream
			}
		}
		_ = w.b.m.CloseStream(w.now, st) // the application is not interested in the rest
		w.run(second)
		w.b.m.ReleaseStream(st)
		w.a.m.ReleaseStream(s)
		w.run(second)
	}
}

func TestIDSetHoldsOnlyWhatWasClosed(t *testing.T) {
	var s idSet
	var far []idRange
	s.add(ordinal(401), &far) // the peer's 201st stream is over
	if s.has(ordinal(201), far) {
		t.Fatal("stream 201, which was never opened, counts as closed; MaxRemoteStreams may be 1<<20")
	}
}

func TestConnectionsWaitForSlots(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{MaxRequests: 8})
	var ss []StreamHandle
	for range 50 {
		c := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1, SleepAfter: -1})
		s, _ := w.a.m.OpenStream(w.now, c)
		_ = w.a.m.SetSendMax(w.now, s, 100)
		ss = append(ss, s)
	}
	w.run(300 * second)
	stalled := 0
	for _, s := range ss {
		if i, ok := w.a.m.StreamInfo(s); ok && i.Sent != 100 {
			stalled++
		}
	}
	if stalled > 0 {
		t.Fatalf("%d of 50 sends never begin", stalled)
	}
}

func TestWriterWaitsForTheCommonBuffer(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20}, Config{MaxBuffered: 1 << 17})
	c := w.connect(Options{})
	w.run(second)
	var last StreamHandle
	for n, k := 1, 0; n > 0; k++ { // each takes half of what is left
		last, _ = w.a.m.OpenStream(w.now, c)
		var err error
		if n, err = w.a.m.Write(w.now, last, make([]byte, 50_000)); err != nil || n == 0 && k < 6 {
			t.Fatalf("stream %d: %d octets, %v", k, n, err)
		}
	}
	w.a.events = nil
	for range 20 {
		w.run(second)
		for _, e := range w.b.events {
			if e.Kind == EventStreamOpened {
				var buf [65536]byte
				_, _ = w.b.m.Read(w.now, e.Stream, buf[:])
			}
		}
	}
	for _, e := range w.a.events {
		if e.Kind == EventWritable && e.Stream == last {
			return
		}
	}
	t.Fatalf("buffer %d, but the last never hears EventWritable: Stream.Write hangs", w.a.m.rings.taken)
}

type noRoom struct{ *node }

func (noRoom) Room(LinkHandle) int { return 0 }

func TestStarvedLinkIsRetriedUnderTraffic(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100)
	m := w.a.m
	end := w.now + 10*second
	other, _ := m.AddLink(LinkConfig{Address: []byte("test.other"), Account: 9})
	junk := []Entry{{Kind: Prepare, Link: other, Request: 1, Packet: []byte{12, 0}}}
	sent, most := false, 0
	for ; w.now < end; w.now += 1e6 {
		// one packet a millisecond on another link, as a busy shard has
		m.Handle(w.now, junk, w.a)
		if at, ok := m.NextTimeout(); ok && at <= w.now {
			m.HandleTimeout(w.now, w.a)
		}
		for {
			h, ok := m.PollReady()
			if !ok {
				break
			}
			if w.now < end-9*second {
				m.Transmit(w.now, h, noRoom{w.a}) // full for the first second
			} else {
				sent = m.Transmit(w.now, h, w.a) > 0 || sent
			}
		}
		most = max(most, len(m.starved))
	}
	if !sent {
		t.Fatalf("nothing was sent for nine seconds after there was room again")
	}
}

func TestStarvedLinksAreListedOnce(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 100)
	m := w.a.m
	for range 100_000 { // engine.settle(p) calls Transmit(p) once a vector
		m.Transmit(w.now, w.a.link, noRoom{w.a})
	}
	if n := len(m.starved); n > 1<<16 {
		t.Fatalf("starved lists one link %d times", n)
	}
}

func TestUnknownThatArrivedIsNotSpentAgain(t *testing.T) {
	w := newWorld(t, Options{ReceiveMax: maxAmount}, Config{})
	c := w.connect(Options{RateNum: 1, RateDen: 1, IdleTimeout: -1})
	s, _ := w.a.m.OpenStream(w.now, c)
	_ = w.a.m.SetSendMax(w.now, s, 10)
	w.run(second)
	w.hook = func(from *node, e *Entry) bool { return from == w.a || e.Kind == Prepare }
	_ = w.a.m.SetSendMax(w.now, s, 1010)
	w.run(second / 10)
	w.a.m.LinkLost(w.now, w.a.link)
	w.hook = nil
	w.run(second)
	w.a.m.LinkUp(w.now, w.a.link)
	_, _ = w.a.m.Write(w.now, s, []byte("x")) // its answer tells totalReceived 1010
	w.run(second)
	i, _ := w.a.m.StreamInfo(s)
	t.Logf("after the link is back: sent %d unknown %d, the receiver says it has %d", i.Sent, i.Unknown, i.RemoteReceived)
	w.run(120 * second)
	ci, _ := w.a.m.ConnInfo(c)
	si, _ := w.b.m.ConnInfo(w.b.expect(EventAccepted).Conn)
	if ci.Sent != 1010 || si.Received != ci.Sent {
		t.Fatalf("send maximum 1010: sender counts %d, receiver has %d", ci.Sent, si.Received)
	}
}
