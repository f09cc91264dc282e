package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestSlideIsAQueueOfOctets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s slide
	var want []byte
	for n := range 20_000 {
		switch rng.IntN(3) {
		case 0:
			p := bytes.Repeat([]byte{byte(n)}, rng.IntN(200))
			s.append(p)
			want = append(want, p...)
		case 1:
			k := rng.IntN(100)
			s.extend(k)
			want = append(want, make([]byte, k)...)
		case 2:
			k := rng.IntN(len(want) + 1)
			s.drop(k)
			want = want[k:]
		}
		if !bytes.Equal(s.octets(), want) || s.len() != len(want) {
			t.Fatalf("step %d: %d octets, want %d", n, s.len(), len(want))
		}
	}
}

// In a long transfer each octet is moved a bounded number of times and the memory
// stays that of the window.
func TestSlideStaysSmall(t *testing.T) {
	var s slide
	chunk := make([]byte, 1000)
	for range 100_000 {
		s.append(chunk)
		if s.len() > 64_000 {
			s.drop(32_000)
		}
	}
	if cap(s.buf) > 4*66_000 {
		t.Fatalf("%d octets of memory", cap(s.buf))
	}
	if n := testing.AllocsPerRun(1000, func() { s.append(chunk); s.drop(1000) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
