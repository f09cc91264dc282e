//go:build linux && (amd64 || arm64)

package engine

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hugePage = 2 << 20
	// A step of address space; pages are only there once they are written to.
	memoryStep = 32 << 20
	memoryLine = 64
)

// memory gives out memory in pages of 2 MiB, where the system has them: records of
// many connections, used in any order, then need few entries of the processor's table of
// pages. It is one shard's.
type memory struct{ free []byte }

// newMemory returns the allocator of a shard. All of it goes back to the system when
// nobody can reach the allocator any more.
func newMemory() func(octets int) []byte {
	m := new(memory)
	return m.take
}

func (m *memory) take(octets int) []byte {
	octets = (octets + memoryLine - 1) &^ (memoryLine - 1)
	if octets > len(m.free) {
		if !m.grow(max(octets, memoryStep)) {
			return nil
		}
	}
	b := m.free[:octets:octets]
	m.free = m.free[octets:]
	return b
}

// grow takes fresh address space. What was left of the last is given up: less than a
// segment.
func (m *memory) grow(octets int) bool {
	size := (octets + 2*hugePage - 1) &^ (hugePage - 1)
	all, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return false
	}
	runtime.AddCleanup(m, func(b []byte) { _ = unix.Munmap(b) }, all)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(all))) & (hugePage - 1))
	b := all[skip : skip+(size-skip)&^(hugePage-1)]
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // it works without, only slower
	m.free = b
	return true
}
