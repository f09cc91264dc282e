package slab

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRingAgainstASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 3, ringStart, ringStart + 1, 1000}).Draw(t, "limit")
		r := NewRing(limit)
		var want []uint32
		var count uint32
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 5, 100}).Draw(t, "times") {
					count++
					if ok := r.Push(count); ok != (len(want) < limit) {
						t.Fatalf("push is %t with %d of %d", ok, len(want), limit)
					} else if ok {
						want = append(want, count)
					}
				}
			},
			"pop": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 5, 90}).Draw(t, "times") {
					v, ok := r.Pop()
					if ok != (len(want) > 0) {
						t.Fatalf("pop is %t with %d", ok, len(want))
					}
					if !ok {
						return
					}
					if v != want[0] {
						t.Fatalf("popped %d, want %d", v, want[0])
					}
					want = want[1:]
				}
			},
			"": func(t *rapid.T) {
				if r.Len() != len(want) {
					t.Fatalf("Len %d, want %d", r.Len(), len(want))
				}
			},
		})
	})
}
