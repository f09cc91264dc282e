package slab

import "reflect"

const (
	// 1,024 items a segment: an index splits by shift and mask, the pointers to
	// the segments of a million items are 8 KiB, and a slab of a few items does
	// not cost megabytes.
	segmentShift = 10
	segmentLen   = 1 << segmentShift
	segmentMask  = segmentLen - 1

	maxIndex = 1<<32 - 1
)

// Handle names one life of one item: generation<<32 | index. The zero Handle
// names nothing. A handle outlives its item, and Get then says so, unless that
// very slot was allocated 2^31 times more in between.
type Handle uint64

// MakeHandle is the handle with that index and generation.
func MakeHandle(index, generation uint32) Handle {
	return Handle(generation)<<32 | Handle(index)
}

// Index returns the index, which is only good while the item lives.
func (h Handle) Index() uint32 { return uint32(h) }

// Generation returns the generation of the slot that the handle was made in.
func (h Handle) Generation() uint32 { return uint32(h >> 32) }

// Slab is a table of items of type T by index, from 1. Items never move.
type Slab[T any] struct {
	segments []*segment[T]
	next     []*[segmentLen]uint32 // the list of freed indexes, in segments where any was freed
	memory   Memory
	limit    int
	live     int
	fresh    uint32 // the lowest index never given out
	free     uint32 // head of the list of freed indexes, last freed first: warm in the cache
}

type segment[T any] struct {
	items       [segmentLen]T      // first, so that items are as aligned as the segment is
	generations [segmentLen]uint32 // odd while the item lives
}

// New returns a slab of at most limit items. Memory is taken as they come.
func New[T any](limit int) *Slab[T] {
	if limit < 1 || uint64(limit) > maxIndex-1 {
		panic("slab: limit out of range")
	}
	return &Slab[T]{limit: limit, fresh: 1}
}

// NewIn is New with segments from memory; nil means the heap. Items must hold no
// pointers.
func NewIn[T any](limit int, memory Memory) *Slab[T] {
	if memory != nil {
		mustHaveNoPointers(reflect.TypeFor[T]())
	}
	s := New[T](limit)
	s.memory = memory
	return s
}

// Alloc returns an item that was not live, zeroed, and its index; ok is false
// when Cap items are live. It allocates memory once in 1,024 items never used
// before, and never when a freed one is at hand.
func (s *Slab[T]) Alloc() (i uint32, v *T, ok bool) {
	if i = s.free; i != 0 {
		seg := s.segments[i>>segmentShift]
		s.free = s.next[i>>segmentShift][i&segmentMask]
		seg.generations[i&segmentMask]++
		v = &seg.items[i&segmentMask]
		var zero T
		*v = zero
		s.live++
		return i, v, true
	}
	if s.live == s.limit {
		return 0, nil, false
	}
	i = s.fresh
	s.fresh++
	if int(i>>segmentShift) == len(s.segments) {
		s.segments = append(s.segments, segmentOf[segment[T]](s.memory))
	}
	seg := s.segments[i>>segmentShift]
	seg.generations[i&segmentMask] = 1
	s.live++
	return i, &seg.items[i&segmentMask], true
}

// At returns the item at index i, which must live; the pointer is good until
// it is freed. Under -tags debug a dead index panics; without, one that is in a
// segment gives whatever is there.
func (s *Slab[T]) At(i uint32) *T {
	if debug {
		s.mustLive(i, "At")
	}
	return &s.segments[i>>segmentShift].items[i&segmentMask]
}

// Any returns what is at index i, which was given out at some time and need not live: for
// those who see by the content.
func (s *Slab[T]) Any(i uint32) *T { return &s.segments[i>>segmentShift].items[i&segmentMask] }

// Free gives the item's slot back: its handles are stale from here on. It
// leaves the content, which the next Alloc zeroes: clear pointers and secrets
// before. Freeing an index that does not live panics, with or without -tags debug,
// since two owners of one slot would be worse. The first Free among 1,024 items takes
// memory for the list that they are in then.
func (s *Slab[T]) Free(i uint32) {
	k, at := i>>segmentShift, i&segmentMask
	if k >= uint32(len(s.segments)) || s.segments[k].generations[at]&1 == 0 {
		s.mustLive(i, "Free")
	}
	if k >= uint32(len(s.next)) || s.next[k] == nil {
		s.listIn(k)
	}
	s.segments[k].generations[at]++
	s.next[k][at] = s.free
	s.free = i
	s.live--
}

// listIn makes room in the list of freed indexes for those of a segment.
func (s *Slab[T]) listIn(k uint32) {
	for int(k) >= len(s.next) {
		s.next = append(s.next, nil)
	}
	s.next[k] = new([segmentLen]uint32)
}

// Generation returns how often slot i changed hands: it is odd while the item
// lives, goes up at Alloc and at Free, and is 0 for an index never given out.
func (s *Slab[T]) Generation(i uint32) uint32 {
	if i>>segmentShift >= uint32(len(s.segments)) {
		return 0
	}
	return s.segments[i>>segmentShift].generations[i&segmentMask]
}

// Handle returns the handle of the item at index i, which must live.
func (s *Slab[T]) Handle(i uint32) Handle {
	if debug {
		s.mustLive(i, "Handle")
	}
	return Handle(s.segments[i>>segmentShift].generations[i&segmentMask])<<32 | Handle(i)
}

// Get returns the item that h names, or false if it was freed since. Any h
// may be asked for, also one that never was.
func (s *Slab[T]) Get(h Handle) (*T, bool) {
	i, generation := h.Index(), h.Generation()
	if i>>segmentShift >= uint32(len(s.segments)) {
		return nil, false
	}
	seg := s.segments[i>>segmentShift]
	if generation&1 == 0 || seg.generations[i&segmentMask] != generation {
		return nil, false
	}
	return &seg.items[i&segmentMask], true
}

// Must returns the item that h names, for places where h cannot be stale.
// Under -tags debug a stale handle panics; without, Must is At(h.Index()).
func (s *Slab[T]) Must(h Handle) *T {
	if debug {
		if _, ok := s.Get(h); !ok {
			panic("slab: use of a freed slot through a stale handle")
		}
	}
	return s.At(h.Index())
}

// Next returns the lowest live index above after, or 0: from 0 it walks all
// items. It looks at each slot in between, so it is for rare walks. Items may be
// freed and allocated on the way.
func (s *Slab[T]) Next(after uint32) uint32 {
	for i := uint64(after) + 1; i < uint64(s.fresh); i++ {
		if s.segments[i>>segmentShift].generations[i&segmentMask]&1 == 1 {
			return uint32(i)
		}
	}
	return 0
}

// Len returns the number of live items.
func (s *Slab[T]) Len() int { return s.live }

// Cap returns the limit that New was given.
func (s *Slab[T]) Cap() int { return s.limit }

func (s *Slab[T]) mustLive(i uint32, what string) {
	switch generation := s.Generation(i); {
	case generation == 0:
		panic("slab: " + what + " of an index never allocated")
	case generation&1 == 0 && what == "Free":
		panic("slab: double free")
	case generation&1 == 0:
		panic("slab: " + what + " of a freed slot")
	}
}
