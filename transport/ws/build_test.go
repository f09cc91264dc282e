package ws

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// frameOf is one frame as any peer may make it, right or wrong.
type frameOf struct {
	op      byte
	fin     bool
	rsv     byte // bits 4 to 6 of the first octet
	payload []byte
	form    int // octets of the length: 0 for the shortest, else 1, 2 or 8
	length  uint64
	lies    bool // length says more than there is
	bare    bool // not masked
}

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d} // of the examples in RFC 6455 §5.7

func (f frameOf) append(dst []byte) []byte {
	first := f.op | f.rsv
	if f.fin {
		first |= finBit
	}
	dst = append(dst, first)
	n := uint64(len(f.payload))
	if f.lies {
		n = f.length
	}
	form := f.form
	if form == 0 {
		switch {
		case n < len16:
			form = 1
		case n <= 0xffff:
			form = 2
		default:
			form = 8
		}
	}
	mask := byte(maskBit)
	if f.bare {
		mask = 0
	}
	switch form {
	case 1:
		dst = append(dst, mask|byte(n))
	case 2:
		dst = binary.BigEndian.AppendUint16(append(dst, mask|len16), uint16(n))
	case 8:
		dst = binary.BigEndian.AppendUint64(append(dst, mask|len64), n)
	}
	if f.bare {
		return append(dst, f.payload...)
	}
	dst = append(dst, testKey[:]...)
	for i, b := range f.payload {
		dst = append(dst, b^testKey[i&3])
	}
	return dst
}

func frames(fs ...frameOf) []byte {
	var b []byte
	for _, f := range fs {
		b = f.append(b)
	}
	return b
}

func octets(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// event is one line a reader's answer: "binary 3:616263", or its end.
func event(op Op, payload []byte) string {
	name := map[Op]string{Binary: "binary", Close: "close", Ping: "ping", Pong: "pong"}[op]
	if len(payload) > 8 {
		return fmt.Sprintf("%s %d:%x…%x", name, len(payload), payload[:4], sum(payload))
	}
	return fmt.Sprintf("%s %d:%x", name, len(payload), payload)
}

func sum(b []byte) (s uint32) {
	for _, x := range b {
		s = s*31 + uint32(x)
	}
	return s
}

// readAll feeds b in pieces cut at the given offsets and collects what came out.
func readAll(r *Reader, b []byte, cuts ...int) []string {
	b = slices.Clone(b) // a Reader unmasks in place
	var got []string
	from := 0
	for _, to := range append(cuts, len(b)) {
		// A piece of its own, at its exact size: the race detector and the
		// bounds then see any read past it.
		piece := slices.Clone(b[from:to])
		r.Feed(piece)
		for {
			op, payload := r.Next()
			if op == None {
				break
			}
			got = append(got, event(op, payload))
		}
		from = to
	}
	if err := r.Err(); err != nil {
		got = append(got, fmt.Sprintf("fail %d %s", err.(*Error).Code, err.(*Error).Reason))
	}
	return got
}

func newReader(t testing.TB, role Role) *Reader {
	r := new(Reader)
	r.Init(role, 0)
	t.Cleanup(r.Release)
	return r
}

func same(t *testing.T, how string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", how, got, want)
	}
}
