package ws

import (
	"bytes"
	"slices"
	"testing"
)

func TestReaderReservesNothingForAMessageItRefuses(t *testing.T) {
	r := newReader(t, Server)
	huge := frames(frameOf{op: 2, fin: true, lies: true, length: 1 << 40})
	for i := range huge {
		r.Feed(huge[i : i+1])
		if op, _ := r.Next(); op != None {
			t.Fatal("a message came out")
		}
		if r.Held() > 512 {
			t.Fatalf("%d octets are held after %d of the header", r.Held(), i+1)
		}
	}
	if r.Err() != ErrMessageSize {
		t.Fatalf("error is %v", r.Err())
	}
}

func TestReaderHoldsNoMemoryBetweenFrames(t *testing.T) {
	r := newReader(t, Server)
	in := append(frames(frameOf{op: 2, fin: true, payload: octets(3000)}), fragmentsOf(3000, 1000)...)
	for _, cut := range []int{1, 5, 100, 3100, 4000} {
		whole := slices.Clone(in)
		for _, piece := range [][]byte{whole[:cut], whole[cut:], nil} {
			r.Feed(piece)
			for op, _ := r.Next(); op != None; op, _ = r.Next() {
			}
		}
		if r.Held() != 0 || r.Err() != nil {
			t.Fatalf("cut at %d: %d octets held, error %v", cut, r.Held(), r.Err())
		}
	}
}

// A vector of payloads is used after the Reader has looked for more: none may
// have been overwritten meanwhile.
func TestPayloadsStayGoodUntilTheNextFeed(t *testing.T) {
	r := newReader(t, Server)
	first, second, third := octets(700), octets(800), octets(900)
	in := frames(frameOf{op: 2, fin: true, payload: first}, frameOf{op: 2, fin: true, payload: second}, frameOf{op: 2, fin: true, payload: third})
	r.Feed(slices.Clone(in[:350]))
	if op, _ := r.Next(); op != None {
		t.Fatal("half a frame came out")
	}
	r.Feed(slices.Clone(in[350 : len(in)-100]))
	_, a := r.Next()
	_, b := r.Next()
	if op, _ := r.Next(); op != None { // keeps the third frame's octets
		t.Fatal("half a frame came out")
	}
	if !bytes.Equal(a, first) || !bytes.Equal(b, second) {
		t.Fatal("a payload changed while the next one was kept")
	}
	if r.Volatile() {
		t.Fatal("a message in one frame is called volatile")
	}
}

func TestReadingAndWritingFramesDoesNotAllocate(t *testing.T) {
	r := newReader(t, Server)
	keys := testKeys()
	payload := octets(280)
	out := make([]byte, 0, 64<<10)
	in := make([]byte, 64<<10)
	r.Feed(nil)
	if n := testing.AllocsPerRun(200, func() {
		out = out[:0]
		for range 16 {
			out = AppendFrame(out, Binary, payload, Client)
		}
		MaskFrames(out, keys)
		b := in[:copy(in, out)]
		// The middle of a frame: a split costs a copy, not an allocation.
		for _, piece := range [][]byte{b[:1000], b[1000:]} {
			r.Feed(piece)
			for op, _ := r.Next(); op != None; op, _ = r.Next() {
			}
		}
	}); n != 0 && !pooledAllocates {
		t.Fatalf("%v allocations", n)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
}
