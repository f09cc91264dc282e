package slab

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestOctetClassesAreLongEnoughAndNotMuchLonger(t *testing.T) {
	for n := 0; n <= MaxOctets; n++ {
		k := octetClassOf(n)
		if l := octetLen(k); l < n || l >= n+max(8, n/4) && n > 0 {
			t.Fatalf("%d octets: a piece of %d", n, l)
		}
		if k > 0 && octetLen(k-1) >= n && n > 0 {
			t.Fatalf("%d octets fit the class below %d", n, octetLen(k))
		}
	}
	if k := octetClassOf(MaxOctets); k != octetClasses-1 {
		t.Fatalf("the last class is %d of %d", k, octetClasses)
	}
}

// Pieces of all lengths come and go; each keeps what was written into it.
func TestPiecesAreApart(t *testing.T) {
	lender := newBank(t)
	for name, o := range map[string]*Octets{"heap": NewOctets(nil), "lent": NewOctets(lender)} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			want := map[uint32][]byte{}
			held := 0
			for turn := range 20_000 {
				if len(want) > 0 && r.IntN(5) < 2 {
					for number, b := range want {
						if got := o.At(number); !bytes.Equal(got, b) {
							t.Fatalf("turn %d: piece %#x has changed", turn, number)
						}
						held -= len(b)
						o.Free(number)
						delete(want, number)
						break
					}
					continue
				}
				n := r.IntN(300)
				if r.IntN(20) == 0 {
					n = r.IntN(MaxOctets + 1)
				}
				number, piece := o.Alloc(n)
				if number == 0 || len(piece) < n || want[number] != nil {
					t.Fatalf("turn %d: %d octets: %#x, %d", turn, n, number, len(piece))
				}
				for i := range piece {
					piece[i] = byte(r.Uint32())
				}
				want[number] = bytes.Clone(piece)
				held += len(piece)
			}
			for number, b := range want {
				if !bytes.Equal(o.At(number), b) {
					t.Fatalf("piece %#x has changed", number)
				}
			}
			if o.Len() != held {
				t.Fatalf("%d octets held, %d told", held, o.Len())
			}
			for number := range want {
				o.Free(number)
			}
			if o.Len() != 0 {
				t.Fatalf("%d octets are left", o.Len())
			}
		})
	}
	if most := octetClasses; len(lender.out) > most {
		t.Errorf("%d segments did not go back, more than one for a class", len(lender.out))
	}
}

func TestFreedPiecesServeAgain(t *testing.T) {
	o := NewOctets(nil)
	var numbers []uint32
	for range 3 * octetSegment {
		number, _ := o.Alloc(100)
		numbers = append(numbers, number)
	}
	some := numbers[octetSegment/2 : 2*octetSegment] // one segment of them is empty then, and stays
	free := func() {
		for _, number := range some {
			o.Free(number)
		}
	}
	free()
	segments := len(o.classes[octetClassOf(100)].segments)
	if allocs := testing.AllocsPerRun(10, func() {
		for i := range some {
			some[i], _ = o.Alloc(97 + i%16)
		}
		free()
	}); allocs != 0 || len(o.classes[octetClassOf(100)].segments) != segments {
		t.Errorf("%.0f allocations, %d segments of before %d", allocs, len(o.classes[octetClassOf(100)].segments), segments)
	}
}
