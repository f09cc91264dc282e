package slab

import "math/bits"

// rack numbers things in segments, the lowest number that is free first: so those in use
// stay in few segments, and others empty.
type rack struct {
	used  []uint64 // a bit for each number
	live  []uint16 // how many of a segment are used
	room  []uint64 // a bit for each segment: it has a number that is free
	shift uint     // a segment has 1<<shift, at least 64
	low   int      // no word of room below has a bit
	spare int      // 1 + an empty segment that is kept, or 0: the next is not far
}

// take returns the lowest free number, and whether it is the first of a segment that has
// no memory.
func (r *rack) take() (number uint32, bare bool) {
	for r.low < len(r.room) && r.room[r.low] == 0 {
		r.low++
	}
	if r.low == len(r.room) {
		r.grow()
	}
	k := r.low<<6 + bits.TrailingZeros64(r.room[r.low])
	if r.live[k] == 0 {
		if bare = r.spare != k+1; !bare {
			r.spare = 0
		}
	}
	if r.live[k]++; r.live[k] == 1<<r.shift {
		r.room[k>>6] &^= 1 << (k & 63)
	}
	w := k << (r.shift - 6)
	for r.used[w] == ^uint64(0) {
		w++
	}
	bit := bits.TrailingZeros64(^r.used[w])
	r.used[w] |= 1 << bit
	return uint32(w<<6 + bit), bare
}

// grow adds a segment. All that there are are full.
func (r *rack) grow() {
	k := len(r.live)
	if k>>6 == len(r.room) {
		r.room = append(r.room, 0)
	}
	r.live = append(r.live, 0)
	r.used = append(r.used, make([]uint64, 1<<(r.shift-6))...)
	r.room[k>>6] |= 1 << (k & 63)
	r.low = k >> 6
}

// put frees a number, and returns the segment that is to give up its memory, if one is.
// Of two empty ones the higher does.
func (r *rack) put(number uint32) (segment int, drop bool) {
	if !r.uses(number) {
		panic("slab: double free")
	}
	r.used[number>>6] &^= 1 << (number & 63)
	k := int(number >> r.shift)
	r.room[k>>6] |= 1 << (k & 63)
	r.low = min(r.low, k>>6)
	if r.live[k]--; r.live[k] > 0 {
		return 0, false
	}
	if r.spare == 0 {
		r.spare = k + 1
		return 0, false
	}
	other := r.spare - 1
	r.spare = min(k, other) + 1
	return max(k, other), true
}

func (r *rack) uses(number uint32) bool {
	w := number >> 6
	return w < uint32(len(r.used)) && r.used[w]>>(number&63)&1 != 0
}

// next is the lowest number above after that is used, or false.
func (r *rack) next(after uint32) (number uint32, ok bool) {
	n := uint64(after) + 1
	for w := n >> 6; w < uint64(len(r.used)); w++ {
		word := r.used[w]
		if w == n>>6 {
			word &= ^uint64(0) << (n & 63)
		}
		if word != 0 {
			return uint32(w<<6) + uint32(bits.TrailingZeros64(word)), true
		}
	}
	return 0, false
}
