//go:build linux && (amd64 || arm64)

package engine

import (
	"testing"
	"unsafe"
)

func TestMemoryIsZeroedAlignedAndApart(t *testing.T) {
	take := newMemory()
	type piece struct{ b []byte }
	var all []piece
	for i, n := range []int{1, 64, 100, 1 << 20, 7, memoryStep, memoryStep + 1, 3 * memoryStep, 500_000} {
		b := take(n)
		if len(b) < n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%memoryLine != 0 {
			t.Fatalf("%d octets: %d at %p", n, len(b), b)
		}
		for _, at := range []int{0, len(b) / 2, len(b) - 1} {
			if b[at] != 0 {
				t.Fatal("not zeroed, or given twice")
			}
			b[at] = byte(i + 1)
		}
		all = append(all, piece{b})
	}
	for i, p := range all {
		if p.b[0] != byte(i+1) || p.b[len(p.b)-1] != byte(i+1) {
			t.Fatal("given twice")
		}
	}
}
