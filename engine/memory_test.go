//go:build linux && (amd64 || arm64)

package engine

import (
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestMemoryIsZeroedAlignedAndApart(t *testing.T) {
	take := newMemory(0)
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

// TestNextPageIsMadeReady: who takes memory does not wait for the system to clear it.
func TestNextPageIsMadeReady(t *testing.T) {
	m := new(memory)
	for m.free == nil || len(m.free)%hugePage != hugePage/2 || len(m.free) > memoryStep-hugePage {
		m.take(hugePage / 4)[0] = 1
	}
	next := m.free[hugePage/2:][:hugePage]
	if unix.Madvise(next, unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	m.take(hugePage)
	next = m.free[hugePage/2:][:hugePage]
	for deadline := time.Now().Add(10 * time.Second); !isResident(t, next); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it is not there")
		}
	}
	if far := m.free[hugePage/2+hugePage:][:hugePage]; isResident(t, far) {
		t.Error("the one after is there, too")
	}
	runtime.KeepAlive(m)
}

// TestReservedMemoryIsReady: before anything is taken of it, and what is taken then is of it.
func TestReservedMemoryIsReady(t *testing.T) {
	const octets = 3*hugePage + 1
	m := new(memory)
	m.reserve(octets)
	if len(m.free) < octets || len(m.free) > octets+2*hugePage {
		t.Fatalf("%d octets", len(m.free))
	}
	if unix.Madvise(m.free[:hugePage], unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	if !isResident(t, m.free) {
		t.Error("they are not there")
	}
	first := unsafe.SliceData(m.free)
	if unsafe.SliceData(m.take(100)) != first {
		t.Error("it is taken from elsewhere")
	}
	for range 10 {
		m.take(hugePage)[0] = 1 // beyond it goes on as ever
	}
	runtime.KeepAlive(m)
}

func isResident(t *testing.T, b []byte) bool {
	pages := make([]byte, len(b)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(unsafe.SliceData(pages)))); errno != 0 {
		t.Skip("this system does not tell: ", errno)
	}
	for _, p := range pages {
		if p&1 == 0 {
			return false
		}
	}
	return true
}
