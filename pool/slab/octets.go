package slab

import (
	"unsafe"
)

// Octets keeps pieces of memory of different lengths for records that hold no pointers:
// a piece is named by a number. Lengths are rounded up to classes at most a quarter
// apart, but for the shortest, and a piece that is freed serves a later one of its
// class. Pieces never move.
type Octets struct {
	classes [octetClasses]octetClass
	lender  Lender
	held    int
}

// octetClass is the pieces of one length.
type octetClass struct {
	segments []unsafe.Pointer // to octetSegment pieces each, or nil
	rack     rack
}

const (
	// MaxOctets is the longest piece.
	MaxOctets = 4096

	// Classes go by 8 octets up to 256, by 64 to 1,024, by 256 to the longest.
	octetClasses = 256/8 + (1024-256)/64 + (MaxOctets-1024)/256

	octetShift   = 7
	octetSegment = 1 << octetShift // pieces
	// A number is 1 + index, above it the class: it is below 1<<31.
	octetIndexBits = 25
	octetIndexMask = 1<<octetIndexBits - 1
)

// NewOctets returns an empty store with its memory from lender, to whom most of it goes back
// as pieces are freed; nil means the heap.
func NewOctets(lender Lender) *Octets {
	o := &Octets{lender: lender}
	for k := range o.classes {
		o.classes[k].rack.shift = octetShift
	}
	return o
}

// Alloc returns a piece of at least n octets, at most MaxOctets, and its number, which is
// never 0. What is in it is left from before.
func (o *Octets) Alloc(n int) (number uint32, piece []byte) {
	k := octetClassOf(n)
	c := &o.classes[k]
	i, bare := c.rack.take()
	if i >= octetIndexMask {
		panic("slab: too many pieces of one length")
	}
	if bare {
		segment := lentOctets(o.lender, octetSegment*octetLen(k))
		if at := int(i >> octetShift); at == len(c.segments) {
			c.segments = append(c.segments, segment)
		} else {
			c.segments[at] = segment
		}
	}
	o.held += octetLen(k)
	number = k<<octetIndexBits | (i + 1)
	return number, o.At(number)
}

// At returns the piece of a number that Alloc gave, all of it.
func (o *Octets) At(number uint32) []byte {
	return pieceIn(o.classes[number>>octetIndexBits].segments, number)
}

// pieceIn is the piece of a number in the segments of its class.
func pieceIn(segments []unsafe.Pointer, number uint32) []byte {
	i, n := number&octetIndexMask-1, octetLen(number>>octetIndexBits)
	return unsafe.Slice((*byte)(unsafe.Add(segments[i>>octetShift], int(i&(octetSegment-1))*n)), n)
}

// Free gives a piece back. Nobody may use it any more. What is in it stays until its place
// is used again, or its memory goes back.
func (o *Octets) Free(number uint32) {
	k := number >> octetIndexBits
	c := &o.classes[k]
	at, drop := c.rack.put(number&octetIndexMask - 1)
	o.held -= octetLen(k)
	if drop {
		n := octetSegment * octetLen(k)
		clear(unsafe.Slice((*byte)(c.segments[at]), n))
		giveOctets(o.lender, c.segments[at], n)
		c.segments[at] = nil
	}
}

// Len is how many octets the pieces take that are not free.
func (o *Octets) Len() int { return o.held }

// octetClassOf is the class of pieces of at least n octets.
func octetClassOf(n int) uint32 {
	switch {
	case n <= 256:
		return uint32(max(n, 1)-1) / 8
	case n <= 1024:
		return 32 + uint32(n-257)/64
	case n <= MaxOctets:
		return 44 + uint32(n-1025)/256
	}
	panic("slab: a piece that is too long")
}

// octetLen is the length of a class's pieces.
func octetLen(k uint32) int {
	switch {
	case k < 32:
		return int(k+1) * 8
	case k < 44:
		return 256 + int(k-31)*64
	}
	return 1024 + int(k-43)*256
}
