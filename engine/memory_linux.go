//go:build linux && (amd64 || arm64)

package engine

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hugePage = 2 << 20
	// The first step of address space, and how far steps grow; pages are only there once
	// they are written to.
	memoryStep    = 32 << 20
	maxMemoryStep = 512 << 20
	memoryLine    = 64
)

// memory gives out memory in pages of 2 MiB, where the system has them: records of
// many connections, used in any order, then need few entries of the processor's table of
// pages. It is one shard's.
//
// To clear such a page takes the system a tenth of a millisecond, and ten where a
// hypervisor has yet to find the memory for it. A loop does not wait for that: from the
// second page on the next one is made ready beside it.
type memory struct {
	free  []byte
	ready int // where the page that was made ready last begins, in octets before the end of free
	step  int
	grown [][]byte // all address space so far
}

// newMemory returns the allocator of a shard, which has so many octets ready, or says that
// the system does not give them. All of it goes back when nobody can reach the allocator
// any more.
func newMemory(ready int) (take func(octets int) []byte, ok bool) {
	m := new(memory)
	return m.take, m.reserve(ready)
}

// reserve makes so many octets ready, at once.
func (m *memory) reserve(octets int) bool {
	if octets > 0 && !m.grow(octets) {
		return false
	}
	// grow takes a page or two more than that.
	for done := 0; done < octets; done += hugePage {
		m.ready = len(m.free) - done
		m.prepare(m.free[done:][:hugePage])
	}
	return true
}

// wholeLines is so many octets, rounded up to lines of the cache.
func wholeLines(octets int) int { return (octets + memoryLine - 1) &^ (memoryLine - 1) }

func (m *memory) take(octets int) []byte {
	octets = wholeLines(octets)
	if octets > len(m.free) {
		m.step = min(max(memoryStep, 2*m.step), maxMemoryStep)
		if !m.grow(max(octets, m.step)) {
			return nil
		}
	}
	b := m.free[:octets:octets]
	m.free = m.free[octets:]
	if next := len(m.free) &^ (hugePage - 1); 0 < next && next < m.ready {
		m.ready = next
		go m.prepare(m.free[len(m.free)-next:][:hugePage])
	}
	return b
}

// prepare makes a page ready. Systems that cannot do that clear it when it is used.
func (m *memory) prepare(page []byte) {
	_ = unix.Madvise(page, unix.MADV_POPULATE_WRITE)
	runtime.KeepAlive(m)
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
	m.free, m.ready = b, len(b)-hugePage    // a small engine needs no second page
	m.grown = append(m.grown, b)
	return true
}
