package slab

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestDensePiecesKeepTheirContent: pieces of all lengths come and go, and move; each keeps
// what was written into it, and there is no memory but theirs.
func TestDensePiecesKeepTheirContent(t *testing.T) {
	for name, lender := range map[string]*bank{"heap": nil, "lent": newBank(t)} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			d := NewDense(nil)
			if lender != nil {
				d = NewDense(lender)
			}
			want := map[uint32][]byte{} // by owner
			at := map[uint32]uint32{}
			owners := []uint32{}
			free := func(k int) {
				owner := owners[k]
				owners[k] = owners[len(owners)-1]
				owners = owners[:len(owners)-1]
				number := at[owner]
				if !bytes.Equal(d.At(number), want[owner]) {
					t.Fatalf("piece %#x has changed", number)
				}
				delete(at, owner)
				delete(want, owner)
				if d.Free(number) {
					other := binary.LittleEndian.Uint32(d.At(number))
					if at[other]>>octetIndexBits != number>>octetIndexBits {
						t.Fatalf("%#x moved to %#x", at[other], number)
					}
					at[other] = number
				}
			}
			for turn := range uint32(60_000) {
				if grow := turn/10_000%2 == 0; len(owners) > 0 && r.IntN(10) > 6 == grow {
					free(r.IntN(len(owners)))
					continue
				}
				n := 4 + r.IntN(40)
				if r.IntN(20) == 0 {
					n = 4 + r.IntN(MaxOctets-3)
				}
				number, piece := d.Alloc(n)
				if number == 0 || number>>31 != 0 || len(piece) < n || !bytes.Equal(piece, make([]byte, len(piece))) {
					t.Fatalf("%d octets: %#x, %d, %x", n, number, len(piece), piece)
				}
				for i := range piece {
					piece[i] = byte(r.Uint32())
				}
				binary.LittleEndian.PutUint32(piece, turn)
				at[turn], want[turn] = number, bytes.Clone(piece)
				owners = append(owners, turn)
			}
			held := 0
			for owner, b := range want {
				held += len(b)
				if !bytes.Equal(d.At(at[owner]), b) {
					t.Fatalf("piece %#x has changed", at[owner])
				}
			}
			most := held
			for k := range uint32(octetClasses) {
				most += 2 * octetSegment * octetLen(k)
			}
			if d.Len() != held || lender != nil && lender.octets > most {
				t.Fatalf("%d octets held, %d told", held, d.Len())
			}
			for len(owners) > 0 {
				free(0)
			}
			if d.Len() != 0 || lender != nil && len(lender.out) > octetClasses {
				t.Fatalf("%d octets are left, in %d segments", d.Len(), len(lender.out))
			}
		})
	}
	d := NewDense(nil)
	number, _ := d.Alloc(10)
	d.Free(number)
	for _, n := range []uint32{number, number + 1, number - 1} {
		mustPanic(t, "slab: Free of a piece that is not there", func() { d.Free(n) })
	}
}
