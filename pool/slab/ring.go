package slab

const ringStart = 64

// Ring is a first-in first-out queue of indexes. It doubles its memory as
// needed and keeps it.
type Ring struct {
	buf   []uint32 // a power of two, or empty
	head  uint32   // of the next Pop; positions count up and wrap by mask
	n     int
	limit int
}

// NewRing returns an empty queue of at most limit entries.
func NewRing(limit int) *Ring {
	if limit < 1 || uint64(limit) > 1<<31 {
		panic("slab: limit out of range")
	}
	return &Ring{limit: limit}
}

// Push puts v at the end, or returns false when the queue is at its limit.
func (r *Ring) Push(v uint32) bool {
	if r.n == len(r.buf) {
		if r.n >= r.limit {
			return false
		}
		r.grow()
	} else if r.n >= r.limit {
		return false
	}
	r.buf[(r.head+uint32(r.n))&uint32(len(r.buf)-1)] = v
	r.n++
	return true
}

// Pop takes the entry that was pushed first, or returns false when there is none.
func (r *Ring) Pop() (uint32, bool) {
	if r.n == 0 {
		return 0, false
	}
	v := r.buf[r.head]
	r.head = (r.head + 1) & uint32(len(r.buf)-1)
	r.n--
	return v, true
}

// Peek returns the entry that would be the kth to be popped, from 0; k must be less
// than Len, which -tags debug sees to.
func (r *Ring) Peek(k int) uint32 {
	if debug && uint(k) >= uint(r.n) {
		panic("slab: a look beyond the end of a ring")
	}
	return r.buf[(r.head+uint32(k))&uint32(len(r.buf)-1)]
}

// Len returns the number of entries.
func (r *Ring) Len() int { return r.n }

func (r *Ring) grow() {
	buf := make([]uint32, max(ringStart, 2*len(r.buf)))
	k := copy(buf, r.buf[r.head:])
	copy(buf[k:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}
