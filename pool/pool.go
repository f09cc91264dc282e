package pool

import (
	"sync"

	"github.com/valyala/bytebufferpool"
)

// classes are the sizes of the pools, in octets, ascending.
var classes = [...]int{512, 4 << 10, 64 << 10, 256 << 10}

// One bytebufferpool.Pool a class: a Pool that sees one size only keeps just
// that, however it is calibrated. Each is allocated by itself, which aligns its
// 64-bit atomics on 32-bit machines too.
var pools = [len(classes)]*bytebufferpool.Pool{new(bytebufferpool.Pool), new(bytebufferpool.Pool), new(bytebufferpool.Pool), new(bytebufferpool.Pool)}

// bufs keeps the Bufs themselves.
var bufs = sync.Pool{New: func() any { return new(Buf) }}

const poison = 0xDB

// Buf is a buffer that its holder owns until Release.
type Buf struct {
	// B is the octets. It may be resliced, and appended to up to its capacity at
	// no cost; past that it moves to memory of its own, which Release lets go.
	// Release sets it to nil, and nothing that shared its memory is good then.
	B []byte

	class    int                        // index into classes, or -1: not pooled
	home     *bytebufferpool.ByteBuffer // the pooled memory, at its full length
	released bool
}

// Get returns a buffer whose B has n octets, of unknown content, and the
// capacity of its class. The caller owns it and must call Release exactly once.
// Get(0) is an empty buffer to append to. A negative n panics.
func Get(n int) *Buf {
	if n < 0 {
		panic("pool: negative length")
	}
	b := newBuf()
	b.class = classOf(n)
	if b.class < 0 {
		b.B = make([]byte, n)
		return b
	}
	size := classes[b.class]
	b.home = pools[b.class].Get()
	switch {
	case cap(b.home.B) < size:
		b.home.B = make([]byte, size)
	case debug:
		checkPoison(b.home.B[:size])
	}
	b.B = b.home.B[:n:size]
	return b
}

// Release gives the buffer back. The holder must not touch it, or anything that
// shares its memory, from here on. A second Release panics: it would let two
// owners have the same memory.
func (b *Buf) Release() {
	if b.released {
		panic("pool: buffer released twice")
	}
	b.released = true
	b.B = nil
	if b.class >= 0 {
		home := b.home
		b.home = nil
		home.B = home.B[:classes[b.class]] // the length is what the pool calibrates by
		if debug {
			for i := range home.B {
				home.B[i] = poison
			}
		}
		pools[b.class].Put(home)
	}
	if !debug {
		bufs.Put(b)
	}
}

// newBuf returns a Buf that is not released. Under debug it is a new one each
// time, so that an old pointer to it can never release what another one holds.
func newBuf() *Buf {
	if debug {
		return new(Buf)
	}
	b := bufs.Get().(*Buf)
	*b = Buf{}
	return b
}

// classOf returns the smallest class with room for n octets, or -1.
func classOf(n int) int {
	for c, size := range classes {
		if n <= size {
			return c
		}
	}
	return -1
}

// checkPoison panics unless octets are as Release left them, or new: zero.
func checkPoison(octets []byte) {
	for _, o := range octets {
		if o != octets[0] || o != poison && o != 0 {
			panic("pool: buffer written to after its release")
		}
	}
}
