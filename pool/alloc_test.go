//go:build !race && !debug

package pool

import "testing"

// Under the race detector sync.Pool forgets at random, and under debug a Buf
// is never used again.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, n := range []int{100, 4000, 60_000, 200_000} {
		for range 50_000 { // past the point where bytebufferpool calibrates itself
			Get(n).Release()
		}
		if got := testing.AllocsPerRun(500, func() { Get(n).Release() }); got != 0 {
			t.Errorf("Get(%d) allocates %v times", n, got)
		}
	}
}
