package slab

import (
	"reflect"
	"unsafe"
)

// Records is a table of items by index, from 1, like Slab, for those of which there are many
// at times and few at others: what is used stays at the lowest indexes, and the memory of
// 1,024 items that none is left of goes back. Items never move. There are no handles: who
// outlives an item knows it by other means, such as Places.
type Records[T any] struct {
	segments []*[segmentLen]T
	nothing  *[segmentLen]T // in place of those that have no memory
	rack     rack
	lender   Lender
	dropped  func(from, n uint32)
	limit    int
	count    int
}

// NewRecords returns a table of at most limit items, which hold no pointers, with its memory
// from lender; nil means the heap. When memory goes back, dropped is told the
// first index and the number of the items in it, if it is not nil.
func NewRecords[T any](limit int, lender Lender, dropped func(from, n uint32)) *Records[T] {
	if limit < 1 || uint64(limit) > maxIndex-1 {
		panic("slab: limit out of range")
	}
	mustHaveNoPointers(reflect.TypeFor[T]())
	r := &Records[T]{nothing: new([segmentLen]T), rack: rack{shift: segmentShift}, lender: lender, dropped: dropped, limit: limit}
	r.rack.take() // index 0
	r.segments = append(r.segments, lent[[segmentLen]T](lender))
	return r
}

// Alloc returns an item that was not live, zeroed, and its index, the lowest; ok is false
// when there are as many as may be.
func (r *Records[T]) Alloc() (i uint32, v *T, ok bool) {
	if r.count == r.limit {
		return 0, nil, false
	}
	r.count++
	i, bare := r.rack.take()
	if bare {
		if k := int(i >> segmentShift); k == len(r.segments) {
			r.segments = append(r.segments, lent[[segmentLen]T](r.lender))
		} else {
			r.segments[k] = lent[[segmentLen]T](r.lender)
		}
	}
	return i, &r.segments[i>>segmentShift][i&segmentMask], true
}

// Free clears the item at index i, and gives its place back. Freeing one that does not live
// panics.
func (r *Records[T]) Free(i uint32) {
	k, drop := r.rack.put(i)
	var zero T
	r.segments[i>>segmentShift][i&segmentMask] = zero
	r.count--
	if !drop {
		return
	}
	if r.dropped != nil {
		r.dropped(uint32(k)<<segmentShift, segmentLen)
	}
	giveBack(r.lender, r.segments[k])
	r.segments[k] = r.nothing
}

// At returns the item at index i, which must live; the pointer is good until it is freed.
// Under -tags debug a dead index panics.
func (r *Records[T]) At(i uint32) *T {
	if debug && !r.Live(i) {
		panic("slab: At of a record that does not live")
	}
	return &r.segments[i>>segmentShift][i&segmentMask]
}

// Any returns what is at index i, which was given out at some time and need not live: then
// it is zero, and must not be written to.
func (r *Records[T]) Any(i uint32) *T { return &r.segments[i>>segmentShift][i&segmentMask] }

// Live says whether the item at index i lives.
func (r *Records[T]) Live(i uint32) bool { return i != 0 && r.rack.uses(i) }

// Next returns the lowest live index above after, or 0: from 0 it walks all items. Items may
// be freed and allocated on the way.
func (r *Records[T]) Next(after uint32) uint32 {
	i, _ := r.rack.next(after)
	return i
}

// Len returns the number of live items.
func (r *Records[T]) Len() int { return r.count }

// Prefetch is Slab's.
func (r *Records[T]) Prefetch(i uint32, lines int) { prefetch(unsafe.Pointer(r.Any(i)), lines) }
