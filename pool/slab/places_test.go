package slab

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPlacesAgainstAMap runs random calls on places and on a map of what lives.
func TestPlacesAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 7, segmentLen, segmentLen + 3}).Draw(t, "limit")
		p := NewPlacesIn(limit, nil)
		live := map[Handle]uint32{}
		var order, stale []Handle
		pick := func() int {
			if len(order) == 0 {
				t.Skip("nothing lives")
			}
			return rapid.IntRange(0, len(order)-1).Draw(t, "which")
		}
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 300}).Draw(t, "times") {
					at := rapid.Uint32().Draw(t, "at")
					number, ok := p.Alloc(at)
					if ok != (len(live) < limit) {
						t.Fatalf("ok is %t with %d of %d live", ok, len(live), limit)
					}
					if !ok {
						return
					}
					h := p.Handle(number)
					if _, twice := live[h]; twice || number == 0 || int(number) > limit || h.Index() != number {
						t.Fatalf("number %d, handle %x", number, h)
					}
					live[h] = at
					order = append(order, h)
				}
			},
			"move": func(t *rapid.T) {
				h, at := order[pick()], rapid.Uint32().Draw(t, "at")
				p.Move(h.Index(), at)
				live[h] = at
			},
			"free": func(t *rapid.T) {
				k := pick()
				h := order[k]
				p.Free(h.Index())
				delete(live, h)
				order = append(order[:k], order[k+1:]...)
				stale = append(stale, h)
			},
			"": func(t *rapid.T) {
				if p.Len() != len(live) {
					t.Fatalf("Len %d of %d", p.Len(), len(live))
				}
				walked := 0
				for i := p.Next(0); i != 0; i = p.Next(i) {
					if at, ok := live[p.Handle(i)]; !ok || p.At(i) != at {
						t.Fatalf("number %d leads to %d, and should to %d (%t)", i, p.At(i), at, ok)
					}
					walked++
				}
				if walked != len(live) {
					t.Fatalf("walked %d of %d", walked, len(live))
				}
				for h, at := range live {
					p.Prefetch(h)
					if got, ok := p.Get(h); !ok || got != at {
						t.Fatalf("handle %x leads to %d, %t", h, got, ok)
					}
				}
				for _, h := range stale {
					if _, ok := p.Get(h); ok {
						t.Fatalf("handle %x is stale and leads somewhere", h)
					}
				}
				for _, h := range []Handle{0, MakeHandle(1<<31, 1), MakeHandle(0, 1), MakeHandle(1, 0)} {
					p.Prefetch(h)
					if _, ok := p.Get(h); ok {
						t.Fatalf("handle %x never was", h)
					}
				}
			},
		})
	})
}

func TestPlacesRefuseADoubleFree(t *testing.T) {
	p := NewPlacesIn(10, nil)
	number, _ := p.Alloc(7)
	p.Free(number)
	mustPanic(t, "slab: double free", func() { p.Free(number) })
	for _, i := range []uint32{0, number + 1, 1 << 20} {
		mustPanic(t, "slab: Free of a number never given out", func() { p.Free(i) })
	}
}
