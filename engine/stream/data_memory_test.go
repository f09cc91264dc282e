package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// ringsTake is the memory of all rings. The machine's account must say the same.
func ringsTake(t *testing.T, m *Machine) (octets int) {
	t.Helper()
	slack, out := 0, 0
	for i := m.data.Next(0); i != 0; i = m.data.Next(i) {
		d := m.data.At(i)
		for _, r := range [...]*ring{&d.in, &d.out} {
			octets += len(r.buf)
			if r == &d.out {
				out += len(r.buf)
			}
			if r.slack {
				slack += len(r.buf)
			}
		}
	}
	if m.rings.taken != octets || m.rings.slack != slack || m.rings.out != out {
		t.Fatalf("%d octets of memory, %d of them slack; the account says %+v", octets, slack, m.rings)
	}
	return octets
}

// sendMuch sends octets of a stream in packets, from an offset to another.
func (h *hand) sendMuch(t *testing.T, stream uint64, from, to int) {
	t.Helper()
	const piece = 30_000
	for ; from < to; from += piece {
		if a := h.send(0, frame.StreamData{StreamID: stream, Offset: uint64(from), Data: make([]byte, min(piece, to-from))}); !a.fulfilled {
			t.Fatalf("stream %d at %d: %+v", stream, from, a)
		}
	}
}

// leave reads all but so many octets.
func (h *hand) leave(t *testing.T, stream uint64, octets int) {
	t.Helper()
	s := h.stream(stream)
	info, _ := h.m.StreamInfo(s)
	if n, err := h.m.Read(h.now, s, make([]byte, info.Readable-octets)); n != info.Readable-octets || err != nil {
		t.Fatal(n, err)
	}
}

// A peer fills and the reader drains one stream after the other, but for a little of
// some: what they held goes to those that come.
func TestMemoryOfDrainedStreamsGoesToOthers(t *testing.T) {
	const window, bound = 256 << 10, 8 << 20
	h := newHand(t, Options{StreamWindow: window, ConnectionWindow: 1 << 30, MaxRemoteStreams: 1000}, Config{MaxBuffered: bound})
	for k := range uint64(300) {
		id := 2*k + 1
		h.sendMuch(t, id, 0, window)
		h.leave(t, id, int(k%2)*100)
		if n := ringsTake(t, h.m); n > bound {
			t.Fatalf("%d octets of memory after %d streams, of which %d wait", n, k+1, 100*(k/2))
		}
	}
	for k := range uint64(300) { // nothing is lost meanwhile
		id := 2*k + 1
		if n := len(readAll(t, h.m, h.now, h.stream(id))); n != int(k%2)*100 {
			t.Fatalf("%d octets are left of stream %d", n, id)
		}
	}
}

// What a peer makes wait beyond the bound is refused, and comes again when there is
// room: here one octet at the end of each window, behind a gap.
func TestMemoryOfGapsIsBounded(t *testing.T) {
	const window, bound = 1 << 20, 4 << 20
	h := newHand(t, Options{StreamWindow: window, ConnectionWindow: 1 << 30, MaxRemoteStreams: 1000}, Config{MaxBuffered: bound})
	far := func(id uint64) frame.StreamData {
		return frame.StreamData{StreamID: id, Offset: window - 1, Data: []byte("x")}
	}
	for id := uint64(1); id < 8; id += 2 {
		if a := h.send(0, far(id)); !a.fulfilled {
			t.Fatalf("stream %d: %+v", id, a)
		}
	}
	if a := h.send(0, far(9)); a.fulfilled || a.code != ilp.T03 || a.opened {
		t.Fatalf("beyond the bound: %+v", a)
	}
	if n := ringsTake(t, h.m); n != bound {
		t.Fatalf("%d octets of memory", n)
	}
	h.sendMuch(t, 1, 0, window) // a gap can always be closed
	h.leave(t, 1, 0)
	if a := h.send(0, far(9)); !a.fulfilled {
		t.Fatalf("when there is room again: %+v", a)
	}
}

// Many streams want more than there is memory for, at both ends: all of it arrives, as
// it was written, and no writer waits for ever.
func TestOctetsArriveWholeWhereMemoryIsShort(t *testing.T) {
	const bound, streams, each = 1 << 18, 20, 150_000
	rng := rand.New(rand.NewPCG(5, 6))
	w := newWorld(t, Options{MaxRemoteStreams: streams}, Config{MaxBuffered: bound})
	c := w.connect(Options{})
	w.run(second)
	type incoming struct {
		s   StreamHandle
		got []byte
	}
	out, in, want := map[StreamHandle]int{}, []incoming(nil), pattern(each)
	for range streams {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		out[s] = 0
		w.a.events = append(w.a.events, Event{Kind: EventWritable, Stream: s})
	}
	for arrived, turns := 0, 0; arrived < streams*each; turns++ {
		if turns > 5000 {
			t.Fatalf("%d octets of %d have arrived", arrived, streams*each)
		}
		events := w.a.events
		w.a.events = nil
		for _, e := range events {
			if e.Kind == EventWritable {
				n, err := w.a.m.Write(w.now, e.Stream, want[out[e.Stream]:])
				if err != nil {
					t.Fatal(err)
				}
				out[e.Stream] += n
			}
		}
		w.run(50 * ms)
		events, w.b.events = w.b.events, nil
		for _, e := range events {
			if e.Kind == EventStreamOpened {
				in = append(in, incoming{s: e.Stream})
			}
		}
		for i := range in {
			p := make([]byte, rng.IntN(40_000))
			n, err := w.b.m.Read(w.now, in[i].s, p)
			if err != nil {
				t.Fatal(err)
			}
			in[i].got = append(in[i].got, p[:n]...)
			arrived += n
		}
		if a, b := ringsTake(t, w.a.m), ringsTake(t, w.b.m); a > bound || b > bound {
			t.Fatalf("%d and %d octets of memory", a, b)
		}
	}
	for i := range in {
		if !bytes.Equal(in[i].got, want) {
			t.Fatalf("stream %d: other octets than were written", i)
		}
	}
}

// A stream in steady use keeps its memory, whether its reader leaves some or nothing.
func TestRingOfAStreamInSteadyUseIsNotMovedAbout(t *testing.T) {
	for _, left := range []int{0, 100} {
		h := newHand(t, Options{}, Config{})
		at, buf := 0, (*byte)(nil)
		for turn := range 200 {
			h.sendMuch(t, 1, at, at+60_000)
			at += 60_000
			h.leave(t, 1, left)
			if b := &h.m.data.At(h.m.streams.At(uint32(h.stream(1))).data).in.buf[0]; turn == 0 {
				buf = b
			} else if b != buf {
				t.Fatalf("turn %d: other memory", turn)
			}
		}
	}
}

// Two machines have more for each other than their memory holds. Neither may be so full of
// it that it can take nothing in.
func TestMachinesFullOfOctetsForEachOtherTakeIn(t *testing.T) {
	const bound, each = 1 << 18, 600_000
	w := newWorld(t, Options{}, Config{MaxBuffered: bound})
	c := w.connect(Options{})
	w.run(second)
	s, err := w.a.m.OpenStream(w.now, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.a.m.Write(w.now, s, []byte("a")); err != nil {
		t.Fatal(err)
	}
	w.run(second)
	opened, ok := w.b.find(EventStreamOpened)
	if !ok {
		t.Fatal("no stream was opened")
	}
	want := pattern(each)
	want[0] = 'a'
	type end struct {
		m       *Machine
		s       StreamHandle
		written int
		got     []byte
	}
	ends := [...]*end{{m: w.a.m, s: s, written: 1}, {m: w.b.m, s: opened.Stream}}
	for turns := 0; len(ends[0].got) < each || len(ends[1].got) < each; turns++ {
		if turns > 5000 {
			t.Fatalf("%d and %d octets have arrived of %d", len(ends[0].got), len(ends[1].got), each)
		}
		for _, e := range ends { // both write all that is taken before anything is read
			n, err := e.m.Write(w.now, e.s, want[e.written:])
			if err != nil {
				t.Fatal(err)
			}
			e.written += n
		}
		w.run(50 * ms)
		for _, e := range ends {
			p := make([]byte, 20_000)
			n, err := e.m.Read(w.now, e.s, p)
			if err != nil {
				t.Fatal(err)
			}
			e.got = append(e.got, p[:n]...)
		}
		if a, b := ringsTake(t, w.a.m), ringsTake(t, w.b.m); a > bound || b > bound {
			t.Fatalf("%d and %d octets of memory", a, b)
		}
	}
	for i, e := range ends {
		if !bytes.Equal(e.got, want) {
			t.Fatalf("end %d: other octets than were written", i)
		}
	}
}

// TestStreamsThatNobodyReadsLeaveOthersRoom: a peer that takes nothing keeps no other stream
// from writing, however much is written to it.
func TestStreamsThatNobodyReadsLeaveOthersRoom(t *testing.T) {
	const each = 100_000
	w := newWorld(t, Options{}, Config{MaxBuffered: 1 << 19})
	c := w.connect(Options{})
	w.run(second)
	for range 3 {
		s, err := w.a.m.OpenStream(w.now, c)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n > 0; { // all that is taken
			if n, err = w.a.m.Write(w.now, s, make([]byte, each)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := w.a.m.OpenStream(w.now, w.connect(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	want := pattern(each)
	var got []byte
	for written, turns := 0, 0; len(got) < each; turns++ {
		if turns > 1000 {
			t.Fatalf("%d octets were written, %d have arrived of %d", written, len(got), each)
		}
		n, err := w.a.m.Write(w.now, s, want[written:])
		if err != nil {
			t.Fatal(err)
		}
		written += n
		w.run(50 * ms)
		other := StreamHandle(0) // at the peer, of the connection that was accepted last
		var conn ConnHandle
		for _, e := range w.b.events {
			switch {
			case e.Kind == EventAccepted:
				conn, other = e.Conn, 0
			case e.Kind == EventReadable && e.Conn == conn:
				other = e.Stream
			}
		}
		if other != 0 {
			p := make([]byte, each)
			if n, err = w.b.m.Read(w.now, other, p); err != nil {
				t.Fatal(err)
			}
			got = append(got, p[:n]...)
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("other octets have arrived")
	}
}
