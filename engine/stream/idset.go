package stream

import "math/bits"

// idSet remembers which stream ids of one parity are closed: all below floor, those of
// bits above it and, from 64 above it on, those of ranges that are kept apart. Ids are
// counted 0, 1, 2 within their parity.
type idSet struct {
	floor uint64
	bits  uint64
}

// idRange is the ids from first to last. Ranges are sorted, and apart by one at least.
// There is at most one more than ids are not closed below the highest one that is:
// those are as many as the peer may have open, or as we have.
type idRange struct{ first, last uint64 }

func (s *idSet) has(n uint64, far []idRange) bool {
	if n < s.floor || n-s.floor < 64 && s.bits>>(n-s.floor)&1 != 0 {
		return true
	}
	i := rangeAt(far, n)
	return i < len(far) && far[i].first <= n
}

// rangeAt is the index of the first range that does not end before n.
func rangeAt(far []idRange, n uint64) int {
	lo, hi := 0, len(far)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); far[mid].last < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// add marks n.
func (s *idSet) add(n uint64, far *[]idRange) {
	switch {
	case n < s.floor:
		return
	case n-s.floor >= 64:
		addFar(far, n)
		return
	}
	s.bits |= 1 << (n - s.floor)
	for s.bits&1 != 0 || s.bits == 0 && len(*far) > 0 && (*far)[0].first == s.floor {
		if s.bits == 0 { // a whole range follows
			s.floor = (*far)[0].last + 1
			*far = (*far)[1:]
		}
		low := bits.TrailingZeros64(^s.bits)
		s.bits >>= low
		s.floor += uint64(low)
		s.draw(far)
	}
}

// draw moves what has come within 64 of floor from the ranges to bits.
func (s *idSet) draw(far *[]idRange) {
	for len(*far) > 0 && (*far)[0].first < s.floor+64 && (s.bits != 0 || (*far)[0].first != s.floor) {
		r := &(*far)[0]
		s.bits |= 1 << (r.first - s.floor)
		if r.first++; r.first > r.last {
			*far = (*far)[1:]
		}
	}
	if len(*far) == 0 {
		*far = nil
	}
}

// addFar marks n in the ranges.
func addFar(far *[]idRange, n uint64) {
	f := *far
	i := rangeAt(f, n)
	if i < len(f) && f[i].first <= n {
		return
	}
	before := i > 0 && f[i-1].last == n-1
	after := i < len(f) && f[i].first == n+1
	switch {
	case before && after:
		f[i-1].last = f[i].last
		*far = append(f[:i], f[i+1:]...)
	case before:
		f[i-1].last = n
	case after:
		f[i].first = n
	default:
		f = append(f, idRange{})
		copy(f[i+1:], f[i:])
		f[i] = idRange{n, n}
		*far = f
	}
}

// ordinal counts a stream id within its parity: 1 and 2 are 0.
func ordinal(id uint64) uint64 { return (id - 1) / 2 }
