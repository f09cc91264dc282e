package ws

import (
	"encoding/binary"
	"math"

	"github.com/millrace-ilp/millrace/pool"
)

// take returns the next whole frame and the length of its header, or nil after
// keeping what there is of it, or after an error. The payload is still masked.
func (r *Reader) take() (frame []byte, h int) {
	if r.part != nil {
		return r.finish()
	}
	h, n, err := r.header(r.in)
	switch {
	case err != nil:
		r.fail(err)
		return nil, 0
	case h == 0 || n > len(r.in)-h:
		r.keep(h, n)
		return nil, 0
	}
	frame = r.in[: h+n : h+n]
	r.in = r.in[h+n:]
	return frame, h
}

// keep copies the first octets of a split frame, which are all that is left, to a
// buffer of their own. h is 0 while the header is not whole.
func (r *Reader) keep(h, n int) {
	if len(r.in) == 0 {
		return
	}
	r.need = 0
	size := MaxHeader
	if h > 0 {
		r.need = h + n
		size = r.need
	}
	r.part = pool.Get(size)
	r.part.B = append(r.part.B[:0], r.in...)
	r.in = nil
}

// finish adds to the split frame the octets it misses, and no others.
func (r *Reader) finish() (frame []byte, h int) {
	// The header comes first, an octet at a time: how long it is says itself.
	for r.need == 0 {
		h, n, err := r.header(r.part.B)
		if err != nil {
			r.fail(err)
			return nil, 0
		}
		if h > 0 {
			r.need = h + n
			if cap(r.part.B) < r.need {
				grown := pool.Get(r.need)
				grown.B = append(grown.B[:0], r.part.B...)
				r.part.Release()
				r.part = grown
			}
			break
		}
		if len(r.in) == 0 {
			return nil, 0
		}
		r.part.B = append(r.part.B, r.in[0])
		r.in = r.in[1:]
	}
	missing := min(r.need-len(r.part.B), len(r.in))
	r.part.B = append(r.part.B, r.in[:missing]...)
	r.in = r.in[missing:]
	if len(r.part.B) < r.need {
		return nil, 0
	}
	h, _, _ = r.header(r.part.B)
	// Two split frames end in one feed only if it holds the whole of the second
	// one's rest, and then that frame began in this feed and was not split.
	r.ready, r.part, r.need = r.part, nil, 0
	return r.ready.B, h
}

// header reads and checks the frame header at the start of b: its length h, 0
// while it is not whole, and the length n of the payload. Whatever can be refused
// is refused at the first octet that shows it, before any memory is reserved.
func (r *Reader) header(b []byte) (h, n int, err *Error) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	op := Op(b[0] & opBits)
	switch {
	case b[0]&rsvBits != 0:
		return 0, 0, ErrReservedBits
	case op > Pong || op > Binary && op < Close:
		return 0, 0, ErrOpcode
	case op >= Close && b[0]&finBit == 0:
		return 0, 0, ErrControl
	case op == Continuation && r.phase != fragmented:
		return 0, 0, ErrContinuation
	case (op == Text || op == Binary) && r.phase == fragmented:
		return 0, 0, ErrInterleaved
	case op == Text:
		return 0, 0, ErrText
	case len(b) < 2:
		return 0, 0, nil
	case b[1]&maskBit != r.mask:
		return 0, 0, ErrMasking
	}
	h, n = 2, int(b[1]&lenBits)
	if op >= Close && n > MaxControl {
		return 0, 0, ErrControl
	}
	switch n {
	case len16:
		if h = 4; len(b) < h {
			return 0, 0, nil
		}
		if n = int(binary.BigEndian.Uint16(b[2:])); n < len16 {
			return 0, 0, ErrLengthForm
		}
	case len64:
		if h = 10; len(b) < h {
			return 0, 0, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long <= math.MaxUint16 || long > math.MaxInt64 {
			return 0, 0, ErrLengthForm
		}
		n = int(min(long, math.MaxInt32))
	}
	room := r.maxMessage
	if r.phase == fragmented && op < Close {
		room -= len(r.message.B)
	}
	if n > room && op < Close {
		return 0, 0, ErrMessageSize
	}
	if h += r.keyLen; len(b) < h {
		return 0, 0, nil
	}
	return h, n, nil
}
