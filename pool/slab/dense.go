package slab

import "unsafe"

// Dense keeps pieces of memory of different lengths as Octets does, but without holes: when
// a piece is freed, the last one of its class takes its place. So it takes little more memory
// than what is in it, whatever came and went, and the rest is clear. Who uses it writes into
// each piece whose it is, and learns from that who has moved.
type Dense struct {
	classes [octetClasses]denseClass
	lender  Lender
	held    int
}

// denseClass is the pieces of one length.
type denseClass struct {
	segments []unsafe.Pointer // to octetSegment pieces each
	n        uint32           // pieces
}

// NewDense returns an empty store with its memory from lender; nil means the heap.
func NewDense(lender Lender) *Dense { return &Dense{lender: lender} }

// Alloc returns a piece of at least n octets, at most MaxOctets, zeroed, and its number,
// which is never 0.
func (d *Dense) Alloc(n int) (number uint32, piece []byte) {
	k := octetClassOf(n)
	c := &d.classes[k]
	if c.n >= octetIndexMask {
		panic("slab: too many pieces of one length")
	}
	if int(c.n>>octetShift) == len(c.segments) {
		c.segments = append(c.segments, lentOctets(d.lender, octetSegment*octetLen(k)))
	}
	c.n++
	d.held += octetLen(k)
	number = k<<octetIndexBits | c.n
	return number, d.At(number)
}

// At returns the piece of a number that Alloc gave, all of it. It is good until the next
// Free.
func (d *Dense) At(number uint32) []byte {
	return pieceIn(d.classes[number>>octetIndexBits].segments, number)
}

// Free gives a piece back. Moved says that another has taken its place, and has its number
// from here on. Freeing what is not there panics.
func (d *Dense) Free(number uint32) (moved bool) {
	k := number >> octetIndexBits
	c := &d.classes[k]
	if i := number & octetIndexMask; i == 0 || i > c.n {
		panic("slab: Free of a piece that is not there")
	}
	last := k<<octetIndexBits | c.n
	if moved = number != last; moved {
		copy(d.At(number), d.At(last))
	}
	clear(d.At(last))
	c.n--
	d.held -= octetLen(k)
	// One empty segment stays: the next piece is not far.
	if end := len(c.segments) - 1; int(c.n)+2*octetSegment <= len(c.segments)*octetSegment {
		giveOctets(d.lender, c.segments[end], octetSegment*octetLen(k))
		c.segments[end] = nil
		c.segments = c.segments[:end]
	}
	return moved
}

// Len is how many octets the pieces take.
func (d *Dense) Len() int { return d.held }
