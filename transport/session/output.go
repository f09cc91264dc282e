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
	chunks []*pool.Buf
	octets int
	frames uint64
}

// Reserve returns n octets at the end of the output, of unknown content, for a
// frame. The caller fills them before anything is handed over.
func (o *Output) Reserve(n int) []byte {
	last := len(o.chunks) - 1
	if last < 0 || cap(o.chunks[last].B)-len(o.chunks[last].B) < n {
		size := firstChunk
		if last >= 0 {
			size = nextChunk
		}
		c := pool.Get(max(n, size))
		c.B = c.B[:0]
		o.chunks = append(o.chunks, c)
		last++
	}
	c := o.chunks[last]
	at := len(c.B)
	c.B = c.B[:at+n]
	o.octets += n
	o.frames++
	return c.B[at : at+n : at+n]
}

// Len is the octets that wait.
func (o *Output) Len() int { return o.octets }

// Frames is how many frames were ever reserved.
func (o *Output) Frames() uint64 { return o.frames }

// Chunks is what waits, in order, for a look. Each chunk holds whole frames.
func (o *Output) Chunks() []*pool.Buf { return o.chunks }

// Take appends the chunks that wait to dst, in order, and forgets them. The
// caller owns them and must release each.
func (o *Output) Take(dst []*pool.Buf) []*pool.Buf {
	dst = append(dst, o.chunks...)
	clear(o.chunks)
	o.chunks, o.octets = o.chunks[:0], 0
	return dst
}

// Cut discards what lies behind the first octets octets, which end a frame.
func (o *Output) Cut(octets int) {
	for i, c := range o.chunks {
		if octets >= len(c.B) {
			octets -= len(c.B)
			continue
		}
		o.octets -= len(c.B) - octets
		c.B = c.B[:octets]
		octets = 0
		if len(c.B) == 0 {
			c.Release()
			o.chunks[i] = nil
		}
	}
	kept := o.chunks[:0]
	for _, c := range o.chunks {
		if c != nil {
			kept = append(kept, c)
		}
	}
	clear(o.chunks[len(kept):])
	o.chunks = kept
}

// Release discards what waits.
func (o *Output) Release() {
	for i, c := range o.chunks {
		c.Release()
		o.chunks[i] = nil
	}
	o.chunks, o.octets = o.chunks[:0], 0
}
