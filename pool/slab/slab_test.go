package slab

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type record struct {
	name  *string
	words [3]uint64
}

// TestSlabAgainstAMap runs random calls on a slab and on a map of what lives.
func TestSlabAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 7, segmentLen, segmentLen*2 + 3}).Draw(t, "limit")
		s := New[record](limit)
		type life struct {
			item *record
			mark uint64
		}
		live := map[uint32]life{}
		handles := map[Handle]uint64{}
		var stale []Handle
		var marks uint64
		pick := func() uint32 {
			if len(live) == 0 {
				t.Skip("nothing lives")
			}
			indexes := make([]uint32, 0, len(live))
			for i := range live {
				indexes = append(indexes, i)
			}
			slices.Sort(indexes)
			return rapid.SampledFrom(indexes).Draw(t, "index")
		}
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 2, 300}).Draw(t, "times") {
					i, v, ok := s.Alloc()
					if ok != (len(live) < limit) {
						t.Fatalf("ok is %t with %d of %d live", ok, len(live), limit)
					}
					if !ok {
						if i != 0 || v != nil {
							t.Fatal("a refusal gives an item")
						}
						return
					}
					if _, taken := live[i]; taken || i == 0 || int(i) > limit {
						t.Fatalf("index %d", i)
					}
					if *v != (record{}) {
						t.Fatal("not zeroed")
					}
					marks++
					v.words[1], v.name = marks, new(string)
					live[i] = life{v, marks}
					handles[s.Handle(i)] = marks
				}
			},
			"free": func(t *rapid.T) {
				i := pick()
				h := s.Handle(i)
				s.Free(i)
				delete(live, i)
				delete(handles, h)
				stale = append(stale, h)
			},
			"": func(t *rapid.T) {
				if s.Len() != len(live) || s.Cap() != limit {
					t.Fatalf("Len %d, Cap %d", s.Len(), s.Cap())
				}
				walked := 0
				for i := s.Next(0); i != 0; i = s.Next(i) {
					l, ok := live[i]
					if !ok || s.At(i) != l.item || l.item.words[1] != l.mark || s.Generation(i)&1 != 1 {
						t.Fatalf("item %d is lost, moved or changed", i)
					}
					walked++
				}
				if walked != len(live) {
					t.Fatalf("walked %d of %d", walked, len(live))
				}
				for h, mark := range handles {
					v, ok := s.Get(h)
					if !ok || v.words[1] != mark || v != s.Must(h) || v != s.At(h.Index()) {
						t.Fatalf("handle %x lost its item", h)
					}
				}
				for _, h := range stale {
					if _, ok := s.Get(h); ok {
						t.Fatalf("stale handle %x finds an item", h)
					}
				}
			},
		})
	})
}

func TestGetRefusesHandlesThatNeverWere(t *testing.T) {
	s := New[record](10)
	i, _, _ := s.Alloc()
	h := s.Handle(i)
	for _, bad := range []Handle{0, 1, h + 1, h - 1, h + 1<<32, h + 2<<32, h &^ (1<<32 - 1), 5 << 32, 1 << 32, ^Handle(0), h | 0xFFFFFFFF} {
		if v, ok := s.Get(bad); ok || v != nil {
			t.Errorf("handle %x finds an item", uint64(bad))
		}
	}
	if v, ok := s.Get(h); !ok || v != s.At(i) || h.Index() != i || h.Generation() != s.Generation(i) {
		t.Error("the one good handle does not")
	}
	if s.Generation(9) != 0 || s.Generation(1<<31) != 0 {
		t.Error("a slot never given out has a generation")
	}
}

func TestDoubleFreeAndFreeOfNothingPanic(t *testing.T) {
	s := New[record](10)
	i, _, _ := s.Alloc()
	mustPanic(t, "slab: Free of an index never allocated", func() { s.Free(0) })
	mustPanic(t, "slab: Free of an index never allocated", func() { s.Free(i + 1) })
	mustPanic(t, "slab: Free of an index never allocated", func() { s.Free(1 << 30) })
	s.Free(i)
	mustPanic(t, "slab: double free", func() { s.Free(i) })
	if s.Len() != 0 {
		t.Errorf("%d live after the misuse", s.Len())
	}
	a, _, _ := s.Alloc()
	b, _, _ := s.Alloc()
	if a == b {
		t.Error("one slot has two owners")
	}
}

func TestLimitsOutOfRangePanic(t *testing.T) {
	for _, wide := range []int64{-1, 0, maxIndex, maxIndex + 1} {
		limit := int(wide)
		if int64(limit) != wide {
			continue // no such int on a 32-bit machine
		}
		mustPanic(t, "slab: limit out of range", func() { New[int](limit) })
		mustPanic(t, "slab: limit out of range", func() { NewRing(limit) })
		mustPanic(t, "slab: limit out of range", func() { NewTable(limit) })
	}
}

func TestItemsNeverMoveWhileTheSlabGrows(t *testing.T) {
	s := New[record](1 << 20)
	var items []*record
	for range 10 * segmentLen {
		_, v, _ := s.Alloc()
		items = append(items, v)
	}
	for k, v := range items {
		if s.At(uint32(k+1)) != v {
			t.Fatalf("item %d moved", k+1)
		}
	}
}
