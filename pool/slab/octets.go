package slab

import (
	"encoding/binary"
	"unsafe"
)

// Octets keeps pieces of memory of different lengths for records that hold no pointers:
// a piece is named by a number. Lengths are rounded up to classes at most a quarter
// apart, but for the shortest, and a piece that is freed serves the next one of its
// class. Pieces never move.
type Octets struct {
	classes [octetClasses]octetClass
	memory  Memory
	held    int
}

// octetClass is the pieces of one length.
type octetClass struct {
	segments []unsafe.Pointer // to octetSegment pieces each
	fresh    uint32           // the lowest index never given out
	free     uint32           // number of the piece freed last; its first octets name the next
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

// NewOctets returns an empty store with its memory from memory; nil means the heap.
func NewOctets(memory Memory) *Octets { return &Octets{memory: memory} }

// Alloc returns a piece of at least n octets, at most MaxOctets, and its number, which is
// never 0. What is in it is left from before.
func (o *Octets) Alloc(n int) (number uint32, piece []byte) {
	k := octetClassOf(n)
	c := &o.classes[k]
	o.held += octetLen(k)
	if number = c.free; number != 0 {
		piece = o.At(number)
		c.free = binary.NativeEndian.Uint32(piece)
		return number, piece
	}
	if int(c.fresh>>octetShift) == len(c.segments) {
		if c.fresh >= octetIndexMask&^(octetSegment-1) {
			panic("slab: too many pieces of one length")
		}
		c.segments = append(c.segments, o.segment(octetSegment*octetLen(k)))
	}
	c.fresh++
	number = k<<octetIndexBits | c.fresh
	return number, o.At(number)
}

func (o *Octets) segment(n int) unsafe.Pointer {
	if o.memory != nil {
		if b := o.memory(n); len(b) >= n {
			return unsafe.Pointer(unsafe.SliceData(b))
		}
	}
	return unsafe.Pointer(unsafe.SliceData(make([]byte, n)))
}

// At returns the piece of a number that Alloc gave, all of it.
func (o *Octets) At(number uint32) []byte {
	i, n := number&octetIndexMask-1, octetLen(number>>octetIndexBits)
	p := o.classes[number>>octetIndexBits].segments[i>>octetShift]
	return unsafe.Slice((*byte)(unsafe.Add(p, int(i&(octetSegment-1))*n)), n)
}

// Free gives a piece back. Nobody may use it any more.
func (o *Octets) Free(number uint32) {
	k := number >> octetIndexBits
	c := &o.classes[k]
	binary.NativeEndian.PutUint32(o.At(number), c.free)
	c.free = number
	o.held -= octetLen(k)
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
