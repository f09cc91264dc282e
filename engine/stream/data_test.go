package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// pattern is octets of which every few differ.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8*37)
	}
	return b
}

// readAll reads what a stream has, until there is nothing.
func readAll(t *testing.T, m *Machine, now Instant, s StreamHandle) (all []byte) {
	t.Helper()
	var p [4096]byte
	for {
		n, err := m.Read(now, s, p[:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return all
		}
		all = append(all, p[:n]...)
	}
}

func TestOctetsArriveWholeInAnyOrderAndAnySplit(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 2))
	want := pattern(6_000)
	for round := range 10 {
		h := newHand(t, Options{}, Config{})
		have := make([]bool, len(want))
		for missing := len(want); missing > 0; {
			from := rng.IntN(len(want))
			to := min(from+rng.IntN(1+len(want)/(1+round)), len(want)) // empty ones too
			for i := from; i < to; i++ {
				if !have[i] {
					have[i] = true
					missing--
				}
			}
			octets := bytes.Clone(want[from:to])
			if a := h.send(0, frame.StreamData{StreamID: 1, Offset: uint64(from), Data: octets}); !a.fulfilled {
				t.Fatalf("seed %d: %d to %d: %+v", seed, from, to, a)
			}
			front := 0
			for front < len(want) && have[front] {
				front++
			}
			if info, _ := h.m.StreamInfo(h.stream(1)); info.Readable != front {
				t.Fatalf("seed %d: %d octets are readable, %d arrived without a gap", seed, info.Readable, front)
			}
		}
		if got := readAll(t, h.m, h.now, h.stream(1)); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: other octets than were sent", seed)
		}
		if n := h.m.rings.held(); n != 0 {
			t.Fatalf("seed %d: %d octets are held after all was read", seed, n)
		}
	}
}

func TestTooManyGapsAreRefusedWithoutEffect(t *testing.T) {
	h := newHand(t, Options{}, Config{})
	for k := range maxSegments {
		if a := h.send(0, frame.StreamData{StreamID: 1, Offset: uint64(2*k + 1), Data: []byte{byte(k)}}); !a.fulfilled {
			t.Fatalf("gap %d: %+v", k, a)
		}
	}
	a := h.send(0, frame.StreamData{StreamID: 1, Offset: 2*maxSegments + 1, Data: []byte("x")})
	if a.fulfilled || a.code != ilp.T03 || a.opened {
		t.Fatalf("one more: %+v; with a STREAM packet the sender would take it for arrived", a)
	}
	if a := h.send(0, frame.StreamData{StreamID: 1, Data: []byte("y")}); !a.fulfilled {
		t.Fatalf("what closes a gap: %+v", a)
	}
	if got := readAll(t, h.m, h.now, h.stream(1)); string(got) != "y\x00" {
		t.Fatalf("read %q", got)
	}
}

func TestMachineWithoutRoomForDataRefusesItForNow(t *testing.T) {
	h := newHand(t, Options{}, Config{MaxBuffered: 1024})
	if a := h.send(0, frame.StreamData{StreamID: 1, Data: make([]byte, 900)}); !a.fulfilled {
		t.Fatalf("%+v", a)
	}
	for range 2 {
		a := h.send(0, frame.StreamData{StreamID: 3, Data: make([]byte, 101)})
		if a.fulfilled || a.code != ilp.T03 || a.opened {
			t.Fatalf("beyond the bound: %+v", a)
		}
	}
	if n := len(readAll(t, h.m, h.now, h.stream(1))); n != 900 {
		t.Fatalf("read %d", n)
	}
	if a := h.send(0, frame.StreamData{StreamID: 3, Data: make([]byte, 101)}); !a.fulfilled {
		t.Fatalf("when there is room again: %+v", a)
	}
}

// refuseNext makes the connector refuse the next packets of alice's with a code.
func (w *world) refuseNext(n int, code ilp.Code) *int {
	left := n
	w.refuse = func(from *node, _ *ilp.Prepare) []byte {
		if from != w.a || left == 0 {
			return nil
		}
		left--
		return must(ilp.AppendReject(nil, code, []byte("test.hub"), nil, nil))
	}
	return &left
}

func TestLostFlightOfDataGoesOutAgainInOrder(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20, ConnectionWindow: 1 << 20}, Config{})
	c := w.connect(Options{})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, []byte("hello")) // so that the windows are told
	w.run(second)
	want := append([]byte("hello"), pattern(100_000)...)
	left := w.refuseNext(4, ilp.T00)
	if n, err := w.a.m.Write(w.now, s, want[5:]); n != 100_000 || err != nil {
		t.Fatal(n, err)
	}
	w.run(20 * second)
	if *left != 0 {
		t.Fatalf("%d packets were not refused", *left)
	}
	got := readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream)
	if info, _ := w.a.m.StreamInfo(s); !bytes.Equal(got, want) || info.Buffered != 0 {
		t.Fatalf("%d octets arrived of %d, %d are buffered", len(got), len(want), info.Buffered)
	}
}

func TestDestroyedStreamLeavesNoDataBehind(t *testing.T) {
	for name, lostFirst := range map[string]bool{"while its data is in flight": false, "when its data was lost": true} {
		w := newWorld(t, Options{StreamWindow: 1 << 20}, Config{})
		c := w.connect(Options{})
		w.run(second)
		s, _ := w.a.m.OpenStream(w.now, c)
		_, _ = w.a.m.Write(w.now, s, []byte("hello"))
		w.run(second)
		left := w.refuseNext(3, ilp.T00)
		if _, err := w.a.m.Write(w.now, s, pattern(90_000)); err != nil {
			t.Fatal(err)
		}
		w.a.drain() // three packets are on their way
		if lostFirst {
			w.pass(w.a)
		}
		if err := w.a.m.DestroyStream(w.now, s, frame.ApplicationError, "enough"); err != nil {
			t.Fatal(err)
		}
		w.a.m.ReleaseStream(s)
		w.run(10 * second)
		if *left != 0 {
			t.Fatalf("%s: %d packets were not refused", name, *left)
		}
		m := w.a.m
		if m.Stats().Streams != 0 || m.pieces.Len() != 0 || m.data.Len() != 0 || m.rings != (ringMemory{}) {
			t.Fatalf("%s: %d streams, %d pieces, %d octets are left", name, m.Stats().Streams, m.pieces.Len(), m.rings.taken)
		}
		e := w.b.expect(EventStreamClosed)
		if got, err := w.b.m.Read(w.now, e.Stream, make([]byte, 100_000)); got != 5 || err != nil {
			t.Fatalf("%s: the peer reads %d octets, %v", name, got, err)
		}
	}
}

func TestMorePiecesThanThereIsRoomForWaitTheirTurn(t *testing.T) {
	w := newWorld(t, Options{}, Config{MaxRequests: 2}) // eight pieces
	c := w.connect(Options{RateNum: 1, RateDen: 1})
	w.run(second)
	for k := range 10 {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.a.m.Write(w.now, s, bytes.Repeat([]byte{byte(k)}, 10+k)); err != nil {
			t.Fatal(err)
		}
	}
	w.run(10 * second)
	opened := 0
	for _, e := range w.b.events {
		if e.Kind == EventStreamOpened {
			if got := readAll(t, w.b.m, w.now, e.Stream); !bytes.Equal(got, bytes.Repeat([]byte{byte(opened)}, 10+opened)) {
				t.Errorf("stream %d reads %v", opened, got)
			}
			opened++
		}
	}
	if opened != 10 || w.a.m.pieces.Len() != 0 {
		t.Fatalf("%d streams have opened, %d pieces are left", opened, w.a.m.pieces.Len())
	}
}

func TestDataOfAStreamThatWasRefusedGoesOutAgain(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{})
	other, err := r.m.OpenStream(r.now, r.conn)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	r.script = func(a *probeAnswer, n int) []byte {
		if n == 1 { // nothing of it was applied
			return a.f99(frame.StreamClose{StreamID: 3, Code: frame.StreamStateError})
		}
		for it := a.packet.Frames(); it.Next(); {
			if it.Type() == frame.TypeStreamData {
				f, _ := frame.ParseStreamData(it.Body())
				got[f.StreamID] += string(f.Data)
			}
		}
		return nil
	}
	_, _ = r.m.Write(r.now, r.stream, []byte("one"))
	_, _ = r.m.Write(r.now, other, []byte("three"))
	r.run(2 * second)
	if got[1] != "one" || got[3] != "" {
		t.Fatalf("sent again: %v", got)
	}
	if info, _ := r.m.StreamInfo(other); !info.Closed || !info.RemoteClosed || info.Code != frame.StreamStateError {
		t.Fatalf("%+v", info)
	}
	if info, _ := r.m.StreamInfo(r.stream); info.Closed || info.Buffered != 0 {
		t.Fatalf("%+v", info)
	}
}

func TestNothingBehindACloseInAReplyIsApplied(t *testing.T) {
	r := newProbeClient(t, Config{}, Options{})
	r.script = func(a *probeAnswer, _ int) []byte {
		return a.fulfill(frame.StreamMaxMoney{StreamID: 1, ReceiveMax: 5}, frame.ConnectionClose{Code: frame.ApplicationError}, frame.StreamMaxMoney{StreamID: 1, ReceiveMax: 9})
	}
	if err := r.m.SetSendMax(r.now, r.stream, 100); err != nil {
		t.Fatal(err)
	}
	r.run(second)
	info, _ := r.m.StreamInfo(r.stream)
	if c, _ := r.m.ConnInfo(r.conn); !c.Closed || c.CloseCode != frame.ApplicationError || info.RemoteMax != 5 || c.Sent != 100 {
		t.Fatalf("%+v, %+v", c, info)
	}
}

func TestHiddenClientHearsOfTheWindowThoughItsQuestionIsLost(t *testing.T) {
	w := newWorld(t, Options{StreamWindow: 1 << 20, ConnectionWindow: 65534}, Config{})
	c := w.connect(Options{HideAddress: true, IdleTimeout: -1})
	w.run(second)
	s, _ := w.a.m.OpenStream(w.now, c)
	_, _ = w.a.m.Write(w.now, s, []byte("x")) // so that the windows are told
	w.run(second)
	if n, err := w.a.m.Write(w.now, s, make([]byte, 80_000)); n != 80_000 || err != nil {
		t.Fatal(n, err)
	}
	w.run(second / 10)
	left := w.refuseNext(1, ilp.T00) // the first ConnectionDataBlocked by itself
	w.run(2 * second)
	if *left != 0 {
		t.Fatal("it was not sent")
	}
	got := len(readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream))
	w.run(20 * second)
	got += len(readAll(t, w.b.m, w.now, w.b.expect(EventStreamOpened).Stream))
	if info, _ := w.a.m.StreamInfo(s); got != 80_001 || info.Buffered != 0 {
		t.Fatalf("%d of 80001 octets 20 s after the window was opened, %d wait", got, info.Buffered)
	}
}
