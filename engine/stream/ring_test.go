package stream

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRingIsAQueueOfOctets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r ring
	var want []byte
	for n := range 20_000 {
		switch rng.IntN(4) {
		case 0:
			p := bytes.Repeat([]byte{byte(n)}, rng.IntN(200))
			r.append(p)
			want = append(want, p...)
		case 1: // room first, octets later, the last of them first
			p := bytes.Repeat([]byte{byte(n)}, rng.IntN(100))
			at, half := r.len(), len(p)/2
			r.extend(len(p))
			r.put(at+half, p[half:])
			r.put(at, p[:half])
			want = append(want, p...)
		case 2:
			k := rng.IntN(len(want) + 1)
			got := make([]byte, k)
			r.get(got)
			if !bytes.Equal(got, want[:k]) {
				t.Fatalf("step %d: other octets are in front", n)
			}
			r.drop(k)
			want = want[k:]
		case 3:
			at := rng.IntN(len(want) + 1)
			k := rng.IntN(len(want) - at + 1)
			a, b := r.view(at, k)
			if got := slices.Concat(a, b); !bytes.Equal(got, want[at:at+k]) {
				t.Fatalf("step %d: other octets from the %dth on", n, at)
			}
		}
		if r.len() != len(want) {
			t.Fatalf("step %d: %d octets, want %d", n, r.len(), len(want))
		}
	}
}

// In a long transfer nothing is moved and nothing allocated, and the memory stays that
// of the window.
func TestRingStaysSmall(t *testing.T) {
	var r ring
	chunk := make([]byte, 1000)
	for range 100_000 {
		r.append(chunk)
		if r.len() > 64_000 {
			r.drop(32_000)
		}
	}
	if len(r.buf) > 2*66_000 {
		t.Fatalf("%d octets of memory", len(r.buf))
	}
	r.drop(r.len())
	for range 60 {
		r.append(chunk)
	}
	if n := testing.AllocsPerRun(1000, func() { r.append(chunk); r.drop(1000) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
