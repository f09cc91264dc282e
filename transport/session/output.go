package session

import "github.com/millrace-ilp/millrace/pool"

// The first chunk of an idle link's output is small, those of a busy one large,
// so that a wake-up's answers are one piece and one write.
const (
	firstChunk = 64 << 10
	nextChunk  = 256 << 10
)

// Output gathers whole frames until they are handed over. What Reserve returned
// does not move: memory is a list of pooled chunks, and no frame spans two. An
// empty Output holds no memory of the pool. Its zero value is ready for use.
type Output struct {
	chunks []*pool.Buf // of the last one B is not cut to its length yet: see tail
	tail   []byte      // the last chunk, at its full capacity
	at     int         // of it, how much is reserved
	before int         // octets in the chunks before it
	frames uint64
	busy   bool // the last output did not fit a first chunk
}

// Reserve returns n octets at the end of the output, of unknown content, for a
// frame. The caller fills them before anything is handed over.
func (o *Output) Reserve(n int) []byte {
	if n > len(o.tail)-o.at {
		o.grow(n)
	}
	at := o.at
	o.at += n
	o.frames++
	return o.tail[at:o.at:o.at]
}

// grow begins a chunk with room for n octets.
func (o *Output) grow(n int) {
	size := nextChunk
	if len(o.chunks) == 0 && !o.busy {
		size = firstChunk
	}
	o.seal()
	c := pool.Get(max(n, size))
	o.chunks = append(o.chunks, c)
	o.before, o.at, o.tail = o.before+o.at, 0, c.B[:cap(c.B)]
}

// seal cuts the last chunk to its length.
func (o *Output) seal() {
	if n := len(o.chunks); n > 0 {
		c := o.chunks[n-1]
		c.B = c.B[:o.at]
	}
}

// Len is the octets that wait.
func (o *Output) Len() int { return o.before + o.at }

// Frames is how many frames were ever reserved.
func (o *Output) Frames() uint64 { return o.frames }

// Chunks is what waits, in order, for a look. Each chunk holds whole frames.
func (o *Output) Chunks() []*pool.Buf {
	o.seal()
	return o.chunks
}

// Take appends the chunks that wait to dst, in order, and forgets them. The
// caller owns them and must release each.
func (o *Output) Take(dst []*pool.Buf) []*pool.Buf {
	dst = append(dst, o.Chunks()...)
	o.busy = o.Len() > firstChunk
	o.forget(0)
	return dst
}

// forget drops all chunks behind the first n.
func (o *Output) forget(n int) {
	clear(o.chunks[n:])
	o.chunks, o.before, o.at, o.tail = o.chunks[:n], 0, 0, nil
	for i, c := range o.chunks {
		if i < n-1 {
			o.before += len(c.B)
		} else {
			o.at, o.tail = len(c.B), c.B[:cap(c.B)]
		}
	}
}

// Cut discards what lies behind the first octets octets, which end a frame.
func (o *Output) Cut(octets int) {
	kept := 0
	for _, c := range o.Chunks() {
		if octets == 0 {
			c.Release()
			continue
		}
		n := min(octets, len(c.B))
		c.B = c.B[:n]
		octets -= n
		kept++
	}
	o.forget(kept)
}

// Release discards what waits.
func (o *Output) Release() { o.Cut(0) }
