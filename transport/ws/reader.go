package ws

import (
	"encoding/binary"
	"math"

	"github.com/millrace-ilp/millrace/pool"
)

// Reader turns the octets of one link into messages and control frames. Its zero
// value is a server's, with the default limit; Init sets another role.
//
// A payload is good until the next Feed, or, where Volatile says so, until the
// next call of Next.
type Reader struct {
	in []byte // what is left of the octets that were fed

	part  *pool.Buf // a split frame: its octets so far
	need  int       // that frame's whole length; 0 while its header is not whole
	ready *pool.Buf // the split frame that was finished since the last Feed

	message   *pool.Buf // a fragmented message: its payload so far
	fragments int

	maxMessage int
	phase      phase
	volatile   bool
	mask       byte // maskBit when the peer must mask
	keyLen     int  // 4 when the peer must mask
	err        *Error
}

type phase uint8

const (
	unset      phase = iota // Init was not called
	between                 // no message is open
	fragmented              // a fragmented message is open
	ended                   // after a close frame or an error: the rest is discarded
)

// Init makes r ready to read the frames that the other side of a link of this
// role sends. maxMessage bounds the octets of a message; 0 means
// DefaultMaxMessage.
func (r *Reader) Init(role Role, maxMessage int) {
	r.Release()
	*r = Reader{phase: between, maxMessage: maxMessage}
	if maxMessage <= 0 {
		r.maxMessage = DefaultMaxMessage
	}
	if role == Server {
		r.mask, r.keyLen = maskBit, 4
	}
}

// Feed hands r the next octets of the link. They are borrowed, and changed in
// place, until Next has answered None or Rest has been called. All of what was
// fed before must be spent.
func (r *Reader) Feed(b []byte) {
	if r.phase == unset {
		r.Init(Server, 0)
	}
	if r.ready != nil {
		r.ready.Release()
		r.ready = nil
	}
	if r.message != nil && r.phase == between {
		r.message.Release()
		r.message = nil
	}
	if r.phase != ended {
		r.in = b
	}
}

// Rest returns the octets that were fed and not read yet, and forgets them.
func (r *Reader) Rest() []byte {
	rest := r.in
	r.in = nil
	return rest
}

// Unread says that Next has not looked at all that was fed.
func (r *Reader) Unread() bool { return len(r.in) > 0 }

// Err is what the peer did wrong, or nil. After an error Next answers None.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Volatile reports whether the payload that Next returned last was put together
// from fragments, and so is good only until the next call of Next.
func (r *Reader) Volatile() bool { return r.volatile }

// Held is the octets of pooled memory that r holds while it waits.
func (r *Reader) Held() int {
	n := 0
	for _, b := range [...]*pool.Buf{r.part, r.ready, r.message} {
		if b != nil {
			n += cap(b.B)
		}
	}
	return n
}

// Release returns r's buffers to the pool. Payloads that Next returned are no
// longer good; r reads nothing more.
func (r *Reader) Release() {
	for _, b := range [...]**pool.Buf{&r.part, &r.ready, &r.message} {
		if *b != nil {
			(*b).Release()
			*b = nil
		}
	}
	r.in, r.phase = nil, ended
}

// Next returns the next message or control frame of what was fed: Binary, Close,
// Ping or Pong with its payload, or None when more octets are needed, after a
// close frame, and when the peer did something wrong (see Err).
func (r *Reader) Next() (Op, []byte) {
	in := r.in
	// The hot case, a whole binary message of up to 64 KiB - 1 where it lies.
	if r.phase == between && r.part == nil && len(in) >= MaxHeader && in[0] == finBit|byte(Binary) && in[1]&maskBit == r.mask {
		h, n := 2+r.keyLen, int(in[1]&lenBits)
		switch n {
		case len16:
			h += 2
			if n = int(binary.BigEndian.Uint16(in[2:])); n < len16 {
				return r.fail(ErrLengthForm)
			}
		case len64:
			n = math.MaxInt32 // next sorts it out
		}
		if n <= r.maxMessage && n <= len(in)-h {
			payload := in[h : h+n : h+n]
			if r.keyLen != 0 {
				Mask(payload, binary.LittleEndian.Uint32(in[h-4:]))
			}
			r.in = in[h+n:]
			r.volatile = false
			return Binary, payload
		}
	}
	return r.next()
}

// next is Next for every case but the hot one.
func (r *Reader) next() (Op, []byte) {
	r.volatile = false
	for r.phase != ended {
		frame, h := r.take()
		if frame == nil {
			return None, nil
		}
		op, fin, payload := Op(frame[0]&opBits), frame[0]&finBit != 0, frame[h:]
		if r.keyLen != 0 {
			Mask(payload, binary.LittleEndian.Uint32(frame[h-4:]))
		}
		switch {
		case op >= Close:
			return r.control(op, payload)
		case op == Binary && fin:
			return Binary, payload
		case !r.fragment(payload):
			return None, nil
		case fin:
			r.phase, r.volatile = between, true
			return Binary, r.message.B
		}
	}
	return None, nil
}

// control checks a whole control frame.
func (r *Reader) control(op Op, payload []byte) (Op, []byte) {
	if op == Close {
		if _, _, err := parseClose(payload); err != nil {
			return r.fail(err)
		}
		r.in, r.phase = nil, ended
	}
	return op, payload
}

// fragment adds one more frame to the fragmented message. take has checked that
// it may come now and is not too long.
func (r *Reader) fragment(payload []byte) bool {
	if r.phase == between {
		r.phase, r.fragments = fragmented, 0
		if r.message == nil {
			r.message = pool.Get(r.maxMessage)
		}
		r.message.B = r.message.B[:0]
	}
	if r.fragments++; r.fragments > MaxFragments {
		r.fail(ErrFragments)
		return false
	}
	r.message.B = append(r.message.B, payload...)
	return true
}

func (r *Reader) fail(err *Error) (Op, []byte) {
	r.in, r.phase, r.err = nil, ended, err
	return None, nil
}
