package slab

// FIFO is a first-in first-out queue of values. It has no bound of its own. Memory
// doubles as needed and is kept. The zero FIFO is empty.
type FIFO[T any] struct {
	buf  []T // a power of two, or empty
	head uint
	n    int
}

// Push puts v at the end.
func (q *FIFO[T]) Push(v T) {
	if q.n == len(q.buf) {
		q.grow()
	}
	q.buf[(q.head+uint(q.n))&uint(len(q.buf)-1)] = v
	q.n++
}

// Pop takes the value that was pushed first; there must be one. The place that it had is
// not cleared: values with pointers keep what they point to until it is used again.
func (q *FIFO[T]) Pop() T {
	v := q.buf[q.head&uint(len(q.buf)-1)]
	q.head++
	q.n--
	return v
}

// Last is the value that was pushed last; there must be one. It is good until the next
// Push.
func (q *FIFO[T]) Last() *T { return &q.buf[(q.head+uint(q.n)-1)&uint(len(q.buf)-1)] }

// Len returns the number of values.
func (q *FIFO[T]) Len() int { return q.n }

// Cap returns how many values there is memory for.
func (q *FIFO[T]) Cap() int { return len(q.buf) }

func (q *FIFO[T]) grow() {
	buf := make([]T, max(ringStart, 2*len(q.buf)))
	if len(q.buf) > 0 {
		from := q.head & uint(len(q.buf)-1)
		k := copy(buf, q.buf[from:])
		copy(buf[k:], q.buf[:from])
	}
	q.buf, q.head = buf, 0
}
