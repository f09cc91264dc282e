package stream

import "math/bits"

// ring is a queue of octets: they are added behind and dropped in front, and none is
// moved but when it grows or shrinks. Its memory is a power of two and at most twice
// what was ever in it at once.
type ring struct {
	buf  []byte
	head int
	n    int

	slack        bool   // it is in the list of ringMemory
	older, newer uint32 // its neighbours there
}

// leastRing is the least memory of a ring that is not empty.
const leastRing = 512

// ringSize is the memory that so many octets need.
func ringSize(n int) int {
	if n == 0 {
		return 0
	}
	return max(leastRing, 1<<bits.Len(uint(n-1)))
}

func (r *ring) len() int { return r.n }

// extend adds n octets of unknown content.
func (r *ring) extend(n int) {
	if r.n+n > len(r.buf) {
		r.move(ringSize(r.n + n))
	}
	r.n += n
}

// shrink gives back the memory that is not needed.
func (r *ring) shrink() {
	if size := ringSize(r.n); size < len(r.buf) {
		r.move(size)
	}
}

// move moves the octets to memory of another size.
func (r *ring) move(size int) {
	var buf []byte
	if size > 0 {
		buf = make([]byte, size)
	}
	r.get(buf[:r.n])
	r.buf, r.head = buf, 0
}

// view is the n octets from the at'th on, in two pieces if the memory's end lies
// between them; good until the next call that changes the queue.
func (r *ring) view(at, n int) (a, b []byte) {
	if n == 0 {
		return nil, nil
	}
	from := (r.head + at) & (len(r.buf) - 1)
	if over := from + n - len(r.buf); over > 0 {
		return r.buf[from:], r.buf[:over]
	}
	return r.buf[from : from+n], nil
}

// put writes octets that are there over the at'th and the following.
func (r *ring) put(at int, p []byte) {
	a, b := r.view(at, len(p))
	copy(b, p[copy(a, p):])
}

// get copies the first octets into p.
func (r *ring) get(p []byte) {
	a, b := r.view(0, len(p))
	copy(p[copy(p, a):], b)
}

func (r *ring) append(p []byte) {
	at := r.n
	r.extend(len(p))
	r.put(at, p)
}

// drop takes n octets away in front.
func (r *ring) drop(n int) {
	if r.n -= n; r.n == 0 {
		r.head = 0 // what comes next lies in one piece
		return
	}
	r.head = (r.head + n) & (len(r.buf) - 1)
}
