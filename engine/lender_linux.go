//go:build linux && (amd64 || arm64)

package engine

import (
	"unsafe"

	"github.com/millrace-ilp/millrace/pool/slab"
	"golang.org/x/sys/unix"
)

// lender is memory of a shard that it gives back: a page of which nothing is lent any more
// goes to the system, and what was returned is lent again, the last first. Where it lies in
// a page that went, the page is made ready beside the loop when its turn is near (memory).
type lender struct {
	memory *memory
	pages  [][]page // of what memory has grown by, in that order
	back   map[int][]unsafe.Pointer
	kept   int // so much that it has grown by stays: it was reserved
}

// page is one of 2 MiB.
type page struct {
	lent int32 // octets
	gone bool  // the system has it
}

// newLender returns the lender of a shard, which has so many octets ready and keeps them, or
// says that the system does not give them.
func newLender(ready int) (slab.Lender, bool) {
	l := &lender{memory: new(memory), back: make(map[int][]unsafe.Pointer)}
	ok := l.memory.reserve(ready)
	l.kept = len(l.memory.grown)
	return l, ok
}

// Lend implements slab.Lender.
func (l *lender) Lend(octets int) []byte {
	octets = wholeLines(octets)
	if back := l.back[octets]; len(back) > 0 {
		last := len(back) - 1
		b := unsafe.Slice((*byte)(back[last]), octets)
		l.back[octets] = back[:last]
		l.account(b, 1)
		if last > 0 {
			l.recall(unsafe.Slice((*byte)(back[last-1]), octets))
		}
		return b
	}
	b := l.memory.take(octets)
	if b != nil {
		l.account(b, 1)
	}
	return b
}

// Return implements slab.Lender.
func (l *lender) Return(b []byte) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	b = unsafe.Slice((*byte)(p), wholeLines(len(b)))
	if l.account(b, -1) {
		l.back[len(b)] = append(l.back[len(b)], p)
	}
}

// account counts octets that are lent, or are no more, of their pages. It says false if they
// are none of ours.
func (l *lender) account(b []byte, sign int32) bool {
	g, from := l.where(b)
	if g < 0 {
		return false
	}
	for to := from + len(b); from < to; {
		k := from / hugePage
		end := min(to, (k+1)*hugePage)
		p := &l.pages[g][k]
		p.lent += sign * int32(end-from)
		p.gone = p.lent == 0 && g >= l.kept && unix.Madvise(l.memory.grown[g][k*hugePage:][:hugePage], unix.MADV_DONTNEED) == nil
		from = end
	}
	return true
}

// recall has the pages that a piece lies in made ready, if they went.
func (l *lender) recall(b []byte) {
	g, from := l.where(b)
	for k := from / hugePage; k*hugePage < from+len(b); k++ {
		if p := &l.pages[g][k]; p.gone {
			p.gone = false
			go l.memory.prepare(l.memory.grown[g][k*hugePage:][:hugePage])
		}
	}
}

// where is what memory has grown by that a piece lies in, and how far behind its beginning.
func (l *lender) where(b []byte) (g, from int) {
	for len(l.pages) < len(l.memory.grown) {
		l.pages = append(l.pages, make([]page, len(l.memory.grown[len(l.pages)])/hugePage))
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	for g, all := range l.memory.grown {
		if from := at - uintptr(unsafe.Pointer(unsafe.SliceData(all))); from < uintptr(len(all)) {
			return g, int(from)
		}
	}
	return -1, 0
}
