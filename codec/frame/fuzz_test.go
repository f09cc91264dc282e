package frame

import (
	"bytes"
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// FuzzParse holds Parse to the reference, in what it accepts and in every value,
// and what is written again to what was read.
func FuzzParse(f *testing.F) {
	v := vectors.Load[vectors.StreamPackets](f, "stream_packets.json")
	for _, e := range v.Encode {
		f.Add([]byte(e.Hex))
	}
	for _, e := range v.Decode {
		f.Add([]byte(e.Hex))
	}
	f.Fuzz(checkParse)
}

func checkParse(t *testing.T, b []byte) {
	p, err := Parse(b)
	want, wantErr := referenceParse(b)
	if err != nil {
		checkNotPlain(t, b)
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("Parse(%x): %v, want %v", b, err, wantErr)
	}
	if err != nil {
		return
	}
	if p.PacketType != ilp.PacketType(want.PacketType) || p.Sequence != want.Sequence ||
		p.PrepareAmount != ilp.Amount(want.PrepareAmount) || p.Count() != len(want.Frames) {
		t.Fatalf("Parse(%x) = %+v, want %+v", b, p, want)
	}
	checkPlain(t, b, &p)
	again, countAt := AppendHeader(nil, p.PacketType, p.Sequence, p.PrepareAmount)
	if len(again) != HeaderLen(p.Sequence, p.PrepareAmount) {
		t.Errorf("the header has %d octets, foretold %d", len(again), HeaderLen(p.Sequence, p.PrepareAmount))
	}
	i := 0
	for it := p.Frames(); it.Next(); i++ {
		if i == len(want.Frames) {
			t.Fatalf("Parse(%x): more than %d frames", b, i)
		}
		w := want.Frames[i]
		if it.Type() != w.Type || string(it.Body()) != w.Body {
			t.Fatalf("frame %d of %x: %v %x, want %v %x", i, b, it.Type(), it.Body(), w.Type, w.Body)
		}
		f, values, err := parseBody(it.Type(), it.Body())
		if err != nil || !slices.Equal(values, w.Values) {
			t.Fatalf("frame %d of %x: %v, %v; want %v", i, b, values, err, w.Values)
		}
		if f == nil { // unknown: as it stands
			again = append(appendHead(again, it.Type(), len(w.Body)), w.Body...)
			continue
		}
		start := len(again)
		again = f.Append(again)
		if n := len(again) - start; n != f.Len() {
			t.Errorf("%+v has %d octets, foretold %d", f, n, f.Len())
		}
	}
	if i != len(want.Frames) {
		t.Fatalf("Parse(%x): %d frames, want %d", b, i, len(want.Frames))
	}
	if i > 255 {
		return
	}
	SetCount(again, countAt, i)
	checkRewritten(t, want, again)
}

// checkRewritten compares by the reference: leading zeros and octets behind the
// known fields are gone, everything else is the same.
func checkRewritten(t *testing.T, want referencePacket, again []byte) {
	t.Helper()
	got, err := referenceParse(again)
	if err != nil || got.PacketType != want.PacketType || got.Sequence != want.Sequence ||
		got.PrepareAmount != want.PrepareAmount || len(got.Frames) != len(want.Frames) {
		t.Fatalf("%+v became %+v, %v", want, got, err)
	}
	for i, w := range want.Frames {
		g := got.Frames[i]
		if g.Type != w.Type || !slices.Equal(g.Values, w.Values) || w.Values == nil && g.Body != w.Body {
			t.Errorf("frame %d: %+v became %+v", i, w, g)
		}
	}
}

// FuzzBodies holds checkBody, which Parse uses, to the Parse functions of the
// frames: a walk over a packet may ignore errors only because of this.
func FuzzBodies(f *testing.F) {
	for t := range grammar {
		f.Add(uint8(t), []byte{1, 1, 1, 2, 1, 3})
		f.Add(uint8(t), append([]byte{1, 1, 9}, make([]byte, 12)...))
		f.Add(uint8(t), []byte{})
	}
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) {
		err := checkBody(Type(typ), body)
		_, _, wantErr := parseBody(Type(typ), body)
		if err != wantErr {
			t.Errorf("%v %x: %v, its Parse function says %v", Type(typ), body, err, wantErr)
		}
	})
}

// FuzzStreamData writes a frame of every shape and reads it back.
func FuzzStreamData(f *testing.F) {
	f.Add(uint64(1), uint64(0), []byte("hello"), 40)
	f.Add(uint64(1)<<40, uint64(1)<<63, make([]byte, 300), 200)
	f.Fuzz(func(t *testing.T, id, offset uint64, data []byte, room int) {
		b := StreamData{StreamID: id, Offset: offset, Data: data}.Append(nil)
		cut := len(data) / 3
		front := StreamData{StreamID: id, Offset: offset, Data: data[:cut]}
		if !bytes.Equal(front.AppendWith(nil, data[cut:]), b) || front.LenWith(data[cut:]) != len(b) {
			t.Errorf("in two pieces it is another frame")
		}
		b = append([]byte{Version, 12, 1, 1, 1, 0, 1, 1}, b...)
		p, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		it := p.Frames()
		if !it.Next() || it.Type() != TypeStreamData {
			t.Fatalf("%x", b)
		}
		got, err := ParseStreamData(it.Body())
		if err != nil || got.StreamID != id || got.Offset != offset || !bytes.Equal(got.Data, data) {
			t.Errorf("%+v, %v", got, err)
		}
		checkRoom(t, id, offset, room%70000)
	})
}

// checkRoom holds MaxStreamData to its meaning: that much fits, one more does not.
func checkRoom(t *testing.T, id, offset uint64, room int) {
	t.Helper()
	n := MaxStreamData(id, offset, room)
	size := func(n int) int { return StreamData{StreamID: id, Offset: offset, Data: make([]byte, n)}.Len() }
	if n > 0 && size(n) > room || size(n+1) <= room {
		t.Errorf("MaxStreamData(%d, %d, %d) = %d", id, offset, room, n)
	}
}
