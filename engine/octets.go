package engine

import (
	"errors"
	"io"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// readAhead is how many octets are fetched from the loop at once for readers that
// want few.
const readAhead = 64 << 10

// transfer is one Read or Write that waits on the loop: the loop copies to or from
// the caller's memory as octets come or room does, and wakes the caller once, when
// it has what it asked for. A wake-up costs more than copying many kilobytes.
type transfer struct {
	p    []byte // what is left to be written, or where to read to
	n    int    // done so far
	err  error
	call *call
}

// transfer runs begin on the loop and waits until its transfer is over, there or
// later.
func (st *streamState) transfer(t *transfer, begin func()) error {
	s := st.c.s
	c := newCall(begin)
	t.call = c
	if !s.inbox.push(c) {
		c.free()
		return ErrEngineClosed
	}
	s.loop.Wake()
	select {
	case err := <-c.done:
		c.free()
		return err
	case <-s.dead: // nobody touches t any more
		return ErrEngineClosed
	}
}

// finish wakes who waits for a transfer, if anybody does. On the loop.
func (st *streamState) finish(place **transfer) {
	if t := *place; t != nil {
		*place = nil
		t.p = nil
		t.call.finish(nil)
	}
}

// step takes a Read or Write further and says whether it is over. On the loop.
func (st *streamState) readSome(t *transfer) bool {
	s := st.c.s
	t.n, t.err = s.m.Read(s.now(), st.h, t.p)
	return t.n > 0 || t.err != nil
}

func (st *streamState) writeSome(t *transfer) bool {
	s := st.c.s
	n, err := s.m.Write(s.now(), st.h, t.p)
	t.p, t.n, t.err = t.p[n:], t.n+n, err
	return len(t.p) == 0 || err != nil
}

// readable and writable are the machine's events. On the loop.
func (st *streamState) readable() {
	if st.reader != nil && st.readSome(st.reader) {
		st.finish(&st.reader)
	}
}

func (st *streamState) writable() {
	if st.writer != nil && st.writeSome(st.writer) {
		st.finish(&st.writer)
	}
}

// Read reads octets that the peer wrote, and waits for some. At the end of a
// stream that was closed normally it answers io.EOF, else a *CloseError.
func (s Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	st := s.s
	st.reading.Lock()
	defer st.reading.Unlock()
	for {
		if len(st.ahead) > 0 {
			n := copy(p, st.ahead)
			st.ahead = st.ahead[n:]
			return n, nil
		}
		if _, closed, _ := st.snapshot(); closed != nil {
			return st.readRest(p, closed)
		}
		into, direct := p, len(p) >= 4096
		if !direct {
			if st.buffer == nil {
				st.buffer = make([]byte, readAhead)
			}
			into = st.buffer
		}
		n, err := st.fetch(into)
		switch {
		case n > 0 && direct:
			return n, nil
		case n > 0:
			st.ahead = st.buffer[:n]
		case errors.Is(err, stream.ErrEnd):
			return 0, io.EOF
		case errors.Is(err, ErrEngineClosed):
			return 0, err
		case err != nil:
			// It is ending: the event that says how is on its way or has come.
			select {
			case <-st.done:
			case <-st.c.s.dead:
				return 0, ErrEngineClosed
			}
		}
	}
}

// fetch reads from the machine, and waits until there is something to read. It
// returns nothing when the stream ends first.
func (st *streamState) fetch(p []byte) (int, error) {
	t := transfer{p: p}
	if err := st.transfer(&t, func() {
		if st.over() || st.readSome(&t) {
			return
		}
		st.reader = &t
		st.c.s.running.held = true
	}); err != nil {
		return 0, err
	}
	return t.n, t.err
}

// over says that the stream has ended: no event of it comes any more. On the loop.
func (st *streamState) over() bool {
	_, closed, _ := st.snapshot()
	return closed != nil
}

// readRest reads what was there when the stream ended.
func (st *streamState) readRest(p []byte, closed *CloseError) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if n := copy(p, st.rest); n > 0 {
		st.rest = st.rest[n:]
		return n, nil
	}
	if closed.Code == frame.NoError {
		return 0, io.EOF
	}
	return 0, closed
}

// Write writes octets for the peer, and waits until all of them are in the
// stream's buffer. It fails with a *CloseError or stream.ErrClosed when the stream is over.
// The larger the pieces, the cheaper: 64 KiB and more.
func (s Stream) Write(p []byte) (int, error) {
	st := s.s
	st.writing.Lock()
	defer st.writing.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	t := transfer{p: p}
	if err := st.transfer(&t, func() {
		if st.over() || st.writeSome(&t) {
			return
		}
		st.writer = &t
		st.c.s.running.held = true
	}); err != nil {
		return t.n, err
	}
	if t.n == len(p) {
		return t.n, nil
	}
	if _, closed, _ := st.snapshot(); closed != nil {
		return t.n, closed
	}
	return t.n, t.err
}

// copyOctets is the memory of a copy: pieces in which going to the loop and back costs
// little.
const copyOctets = 256 << 10

// ReadFrom writes all that r has, until io.EOF; io.Copy to a stream uses it. It returns
// how much was written, with r's error or Write's.
func (s Stream) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{r}, make([]byte, copyOctets))
}

// WriteTo reads all octets of the stream into w, until its end; io.Copy from a stream
// uses it. It returns how much was written, with w's error or Read's.
func (s Stream) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{s}, make([]byte, copyOctets))
}
