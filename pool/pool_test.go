package pool

import (
	"sync"
	"testing"
)

func TestGetGivesTheLengthAndTheCapacityOfTheClass(t *testing.T) {
	for _, c := range []struct{ n, capacity int }{
		{0, 512}, {1, 512}, {512, 512}, {513, 4096}, {4096, 4096}, {4097, 65536},
		{65536, 65536}, {65537, 262144}, {262144, 262144}, {262145, 262145}, {1 << 20, 1 << 20},
	} {
		for range 3 { // new, then from the pool
			b := Get(c.n)
			if len(b.B) != c.n || cap(b.B) != c.capacity {
				t.Errorf("Get(%d): %d octets of %d, want capacity %d", c.n, len(b.B), cap(b.B), c.capacity)
			}
			b.Release()
		}
	}
}

func TestReleaseTakesBackTheOriginalMemory(t *testing.T) {
	b := Get(10)
	b.B = append(b.B, make([]byte, 100_000)...) // moves to memory of its own
	b.Release()
	if b.B != nil {
		t.Error("a released buffer still has its octets")
	}
	b = Get(10)
	b.B = b.B[5:]
	b.Release()
	for range 10 {
		b = Get(512)
		if len(b.B) != 512 || cap(b.B) != 512 {
			t.Fatalf("%d octets of %d", len(b.B), cap(b.B))
		}
		defer b.Release()
	}
}

func TestDoubleReleasePanics(t *testing.T) {
	for _, n := range []int{10, 1 << 20} {
		b := Get(n)
		b.Release()
		func() {
			defer func() {
				if got := recover(); got != "pool: buffer released twice" {
					t.Errorf("panic is %v", got)
				}
			}()
			b.Release()
		}()
	}
}

func TestNegativeLengthPanics(t *testing.T) {
	defer func() {
		if got := recover(); got != "pool: negative length" {
			t.Errorf("panic is %v", got)
		}
	}()
	Get(-1)
}

// TestOwnersNeverShare lends buffers to many goroutines, long enough that
// bytebufferpool calibrates itself on the way (42,000 releases).
func TestOwnersNeverShare(t *testing.T) {
	var wg sync.WaitGroup
	for g := range byte(4) {
		wg.Go(func() {
			for i := range 15_000 {
				a, b := Get(100+i%400), Get(300)
				for k := range a.B {
					a.B[k] = g
				}
				clear(b.B)
				for _, o := range a.B {
					if o != g {
						t.Error("two owners share memory")
						return
					}
				}
				a.Release()
				b.Release()
			}
		})
	}
	wg.Wait()
}

func BenchmarkGetRelease(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Get(1000).Release()
	}
}
