package slab

import (
	"math/rand/v2"
	"testing"
)

func TestFIFOGivesBackWhatWasPushedInItsOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q FIFO[int]
	var want []int
	for step := range 20_000 {
		if rng.IntN(2+step%3) > 0 || len(want) == 0 {
			q.Push(step)
			want = append(want, step)
			if *q.Last() != step {
				t.Fatalf("the last is %d, not %d", *q.Last(), step)
			}
		} else {
			if v := q.Pop(); v != want[0] {
				t.Fatalf("%d instead of %d", v, want[0])
			}
			want = want[1:]
		}
		if q.Len() != len(want) {
			t.Fatalf("%d values, not %d", q.Len(), len(want))
		}
	}
	if n := testing.AllocsPerRun(1000, func() { q.Push(1); q.Pop() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
