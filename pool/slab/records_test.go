package slab

import (
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// bank is a Lender that knows what is out, and that what comes back is clear.
type bank struct {
	t      interface{ Fatalf(string, ...any) }
	out    map[*byte]int
	octets int
}

func newBank(t interface{ Fatalf(string, ...any) }) *bank {
	return &bank{t: t, out: map[*byte]int{}}
}

func (b *bank) Lend(n int) []byte {
	p := make([]byte, (n+63)&^63)
	b.out[&p[0]] = n
	b.octets += n
	return p
}

func (b *bank) Return(p []byte) {
	if n, ok := b.out[&p[0]]; !ok || n != len(p) {
		b.t.Fatalf("%d octets come back, of %d", len(p), n)
	}
	for _, x := range p {
		if x != 0 {
			b.t.Fatalf("what comes back is not clear")
		}
	}
	delete(b.out, &p[0])
	b.octets -= len(p)
}

type plainRecord struct{ words [3]uint64 }

// TestRecordsAgainstAMap runs random calls on records and on a map of what lives.
func TestRecordsAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 7, segmentLen, segmentLen*3 + 3}).Draw(t, "limit")
		lender := newBank(t)
		var wheel *Wheel
		r := NewRecords[plainRecord](limit, lender, func(from, n uint32) { wheel.Drop(from, n) })
		wheel = NewWheelOn(1000, 64, lender)
		type life struct {
			item *plainRecord
			mark uint64
		}
		live := map[uint32]life{}
		var marks uint64
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 2, 1500}).Draw(t, "times") {
					i, v, ok := r.Alloc()
					if ok != (len(live) < limit) {
						t.Fatalf("ok is %t with %d of %d live", ok, len(live), limit)
					}
					if !ok {
						return
					}
					if _, taken := live[i]; taken || i == 0 || int(i) > limit || *v != (plainRecord{}) {
						t.Fatalf("index %d: %v", i, *v)
					}
					for lower := uint32(1); lower < min(i, 10); lower++ {
						if !r.Live(lower) {
							t.Fatalf("index %d, and %d is free", i, lower)
						}
					}
					marks++
					v.words[1] = marks
					live[i] = life{v, marks}
					wheel.Set(i, int64(marks))
				}
			},
			"free": func(t *rapid.T) {
				n, from := rapid.SampledFrom([]int{1, 1500}).Draw(t, "times"), rapid.IntRange(1, limit).Draw(t, "from")
				for i := uint32(from); n > 0 && int(i) <= limit; i++ {
					if _, ok := live[i]; ok {
						wheel.Clear(i)
						r.Free(i)
						delete(live, i)
						n--
					}
				}
			},
			"": func(t *rapid.T) {
				if r.Len() != len(live) {
					t.Fatalf("Len %d of %d", r.Len(), len(live))
				}
				walked := 0
				for i := r.Next(0); i != 0; i = r.Next(i) {
					if l, ok := live[i]; !ok || r.At(i) != l.item || l.item.words[1] != l.mark {
						t.Fatalf("item %d is lost, moved or changed", i)
					}
					walked++
				}
				if walked != len(live) {
					t.Fatalf("walked %d of %d", walked, len(live))
				}
				full := map[uint32]bool{0: true}
				for i := range live {
					full[i>>segmentShift] = true
				}
				each := int(unsafe.Sizeof([segmentLen]plainRecord{}) + unsafe.Sizeof([segmentLen]timer{}))
				if most := (len(full) + 1) * each; lender.octets > most {
					t.Fatalf("%d octets are out, for %d segments", lender.octets, len(full))
				}
				for i := range uint32(len(r.segments) * segmentLen) {
					r.Prefetch(i, 1)
					if _, ok := live[i]; ok != r.Live(i) || !ok && *r.Any(i) != (plainRecord{}) {
						t.Fatalf("of %d there is %v", i, *r.Any(i))
					}
				}
				if *r.nothing != ([segmentLen]plainRecord{}) {
					t.Fatal("somebody has written where nothing is")
				}
			},
		})
	})
}

func TestRecordsRefuseADoubleFree(t *testing.T) {
	r := NewRecords[plainRecord](10, nil, nil)
	i, _, _ := r.Alloc()
	r.Free(i)
	for _, x := range []uint32{i, i + 1, 1 << 20} {
		mustPanic(t, "slab: double free", func() { r.Free(x) })
	}
}

func TestArmedTimersKeepTheirMemory(t *testing.T) {
	w := NewWheelOn(1000, 64, newBank(t))
	w.Set(5, 7)
	mustPanic(t, "slab: memory of a timer that is armed goes back", func() { w.Drop(0, segmentLen) })
	w.Drop(segmentLen, segmentLen) // none of these was ever set
	w.Clear(5)
	w.Drop(0, segmentLen)
	if w.Armed(5) || w.lender.(*bank).octets != 0 {
		t.Error("it is not gone")
	}
	w.Set(5, 9)
	if i, ok := w.PopExpired(10); !ok || i != 5 {
		t.Error("it does not serve again")
	}
}
