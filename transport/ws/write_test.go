package ws

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func testKeys() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1, 2, 3}) }

func TestMaskXorsTheKeyFromItsFirstOctetOn(t *testing.T) {
	key := uint32(0x3d21fa37) // testKey, first octet lowest
	for n := range 300 {
		for off := range 9 {
			// What stands before and behind is not touched.
			whole := octets(off + n + 65)
			want := bytes.Clone(whole)
			for i := range n {
				want[off+i] ^= testKey[i&3]
			}
			words := bytes.Clone(whole)
			Mask(whole[off:off+n], key)
			maskWords(words[off:off+n], key)
			if !bytes.Equal(whole, want) || !bytes.Equal(words, want) {
				t.Fatalf("%d octets at offset %d", n, off)
			}
		}
	}
}

func TestFramesThatAreWrittenReadBackForBothRoles(t *testing.T) {
	for _, role := range []Role{Server, Client} {
		for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536} {
			t.Run(fmt.Sprintf("role %d, %d octets", role, n), func(t *testing.T) {
				b := AppendFrame(nil, Binary, octets(n), role)
				b = AppendFrame(b, Ping, octets(min(n, MaxControl)), role)
				if h, p := FrameLen(b); h != HeaderLen(n, role) || p != n {
					t.Fatalf("FrameLen is %d, %d", h, p)
				}
				if role == Client {
					MaskFrames(b, testKeys())
					if h, _ := FrameLen(b); FrameKey(b, h) == 0 {
						t.Fatal("no key")
					}
				}
				peer := Server
				if role == Server {
					peer = Client
				}
				same(t, "read back", readAll(newReader(t, peer), b), []string{event(Binary, octets(n)), event(Ping, octets(min(n, MaxControl)))})
			})
		}
	}
}

func TestEachFrameHasAKeyOfItsOwn(t *testing.T) {
	var b []byte
	for range 64 {
		b = AppendFrame(b, Binary, octets(20), Client)
	}
	MaskFrames(b, testKeys())
	seen := map[uint32]bool{}
	for len(b) > 0 {
		h, n := FrameLen(b)
		seen[FrameKey(b, h)] = true
		b = b[h+n:]
	}
	if len(seen) != 64 {
		t.Fatalf("%d keys for 64 frames", len(seen))
	}
}

func TestCloseBodiesAreCutAtACharacterAndNeverCarryForbiddenCodes(t *testing.T) {
	b := AppendCloseBody(nil, CodePolicy, strings.Repeat("é", 80))
	code, reason, err := ParseClose(b)
	if err != nil || code != CodePolicy || len(b) > MaxControl || !utf8.Valid(reason) {
		t.Fatalf("code %d, %d octets, error %v", code, len(b), err)
	}
	for _, code := range []uint16{0, 999, CodeNoStatus, 1006, 1015, 2000, 5000} {
		if b := AppendCloseBody(nil, code, "x"); len(b) != 0 {
			t.Errorf("code %d is written as %x", code, b)
		}
	}
}

func BenchmarkReadMaskedFrame(b *testing.B) {
	var r Reader
	r.Init(Server, 0)
	frame := frames(frameOf{op: 2, fin: true, payload: octets(280)})
	in := bytes.Repeat(frame, 64)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i&63 == 0 {
			r.Feed(in)
		}
		if op, _ := r.Next(); op != Binary {
			b.Fatal("no frame")
		}
	}
}

func BenchmarkWriteMaskedFrame(b *testing.B) {
	keys, payload := testKeys(), octets(220)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendFrame(buf[:0], Binary, payload, Client)
		MaskFrames(buf, keys)
	}
	b.SetBytes(int64(len(buf)))
}
