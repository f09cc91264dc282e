package slab

import "unsafe"

// Prefetch asks the processor to load the first lines cache lines of the item at index i,
// at least one; the index was given out at some time. It waits for nothing: whoever uses
// the item some hundred nanoseconds later finds it in the cache. Where there is no such
// instruction it does nothing.
func (s *Slab[T]) Prefetch(i uint32, lines int) { prefetch(unsafe.Pointer(s.Any(i)), lines) }

// Prefetch is the same for the place where key stands if it is in the table.
func (t *Table) Prefetch(key uint64) {
	h := spread(key)
	if l := t.leafOf(h); l != nil {
		prefetch(unsafe.Pointer(&l.entries[home(h)]), 1)
	}
}

// Prefetch asks for lines cache lines from p on, at least one. They are not looked at:
// nothing need be there.
func Prefetch(p unsafe.Pointer, lines int) { prefetch(p, lines) }

// Prefetch is the same for where the thing of a handle is.
func (p *Places) Prefetch(h Handle) {
	if i := h.Index(); i>>segmentShift < uint32(len(p.segments)) {
		p.PrefetchNumber(i)
	}
}

// PrefetchNumber is the same for a number that was given out at some time.
func (p *Places) PrefetchNumber(number uint32) { prefetch(unsafe.Pointer(p.entry(number)), 1) }
