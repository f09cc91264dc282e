package engine

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// Stream is one stream of a connection, as the blocking door sees it: money both
// ways, and octets both ways as an io.ReadWriteCloser. It is a small value, safe for
// concurrent use, but not from a Handler. The zero value is no stream.
type Stream struct{ s *streamState }

var (
	_ io.ReadWriteCloser = Stream{}
	_ io.ReaderFrom      = Stream{}
	_ io.WriterTo        = Stream{}
)

// streamState is what the handles of a stream share.
type streamState struct {
	c *connState
	h stream.StreamHandle

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	info    stream.StreamInfo
	rest    []byte // what was not read when the stream ended
	offered bool   // it waits for AcceptStream
	held    int    // octets of rest that count for the shard meanwhile
	uncount runtime.Cleanup
	closed  *CloseError
	done    chan struct{}

	reading sync.Mutex // held by Read
	ahead   []byte     // fetched and not read yet
	buffer  []byte

	writing sync.Mutex // held by Write

	reader, writer *transfer // what Read and Write wait for, or nil. On the loop.
}

// newStreamState makes the object of a stream. On the loop.
func (s *shard) newStreamState(c *connState, h stream.StreamHandle) *streamState {
	st := &streamState{c: c, h: h, changed: make(chan struct{}), done: make(chan struct{})}
	i := int(uint32(h))
	for i >= len(s.streams) {
		s.streams = append(s.streams, nil)
	}
	s.streams[i] = st
	st.refresh()
	return st
}

// stream is the object of a stream, or nil.
func (s *shard) stream(h stream.StreamHandle) *streamState {
	if i := int(uint32(h)); i < len(s.streams) && s.streams[i] != nil && s.streams[i].h == h {
		return s.streams[i]
	}
	return nil
}

func (st *streamState) change(f func()) {
	st.mu.Lock()
	defer st.mu.Unlock()
	f()
	close(st.changed)
	st.changed = make(chan struct{})
}

// refresh publishes the machine's figures. On the loop.
func (st *streamState) refresh() {
	if info, ok := st.c.s.m.StreamInfo(st.h); ok {
		st.change(func() { st.info = info })
	}
}

func (st *streamState) end(rest []byte, info stream.StreamInfo, ok bool, closed *CloseError) {
	st.change(func() {
		if st.closed != nil {
			return
		}
		st.rest, st.closed = rest, closed
		if ok {
			st.info = info
		}
		close(st.done)
	})
	st.finish(&st.reader)
	st.finish(&st.writer)
}

// hold counts octets of a stream that nobody has accepted yet, until somebody does or
// the stream is forgotten. It says false when too many wait. On the loop.
func (st *streamState) hold(n int) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := st.c.s
	switch {
	case !st.offered || n == 0:
		return true
	case s.unaccepted.Add(int64(n)) > maxUnaccepted:
		s.unaccepted.Add(int64(-n))
		return false
	}
	if st.held > 0 {
		st.uncount.Stop()
	}
	st.held += n
	st.uncount = runtime.AddCleanup(st, func(held int) { s.unaccepted.Add(int64(-held)) }, st.held)
	return true
}

// accepted notes that somebody has the stream.
func (st *streamState) accepted() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.offered = false
	if st.held > 0 {
		st.uncount.Stop()
		st.c.s.unaccepted.Add(int64(-st.held))
		st.held = 0
	}
}

func (st *streamState) snapshot() (info stream.StreamInfo, closed *CloseError, changed chan struct{}) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.info, st.closed, st.changed
}

// call runs f on the loop; a stream that is gone there has ended here.
func (st *streamState) call(f func(m *stream.Machine, now stream.Instant) error) error {
	s := st.c.s
	var failed error
	if err := s.call(func() {
		failed = f(s.m, s.now())
		if info, ok := s.m.StreamInfo(st.h); ok {
			st.mu.Lock()
			st.info = info // without waking anybody: Write would wake itself
			st.mu.Unlock()
		}
	}); err != nil {
		return err
	}
	if failed != nil {
		if _, closed, _ := st.snapshot(); closed != nil {
			return closed
		}
	}
	return failed
}

// ID is the stream's number within its connection: odd if the client opened it, even if
// the server did (IL-RFC 0029 §4.4.1).
func (s Stream) ID() uint64 {
	info, _, _ := s.s.snapshot()
	return info.ID
}

// SetReceiveMax allows the stream to receive up to that much in total, in our units
// (IL-RFC 0029 §5.3.9). The packet that reaches it may pass it by 1 % of what was left,
// rounded up: stream.Machine.SetReceiveMax says why. It never falls:
// stream.ErrMaximum. A stream that is closed or closing answers ErrClosed, or the
// *CloseError that is one.
func (s Stream) SetReceiveMax(max stream.Amount) error {
	return s.s.call(func(m *stream.Machine, now stream.Instant) error { return m.SetReceiveMax(now, s.s.h, max) })
}

// SetSendMax sends up to that much in total, as the peer takes it. It may be
// lowered as far as what was sent or is in flight: stream.ErrMaximum. Amounts are in
// our units. A stream that is closed or closing answers ErrClosed, or the *CloseError
// that is one.
func (s Stream) SetSendMax(max stream.Amount) error {
	return s.s.call(func(m *stream.Machine, now stream.Instant) error { return m.SetSendMax(now, s.s.h, max) })
}

// Destroy ends the stream at once: what was written and not yet sent is dropped,
// what is in flight stays accounted. The peer is told code and message, at most
// stream.MaxCloseMessage octets of it. A stream that is closed already answers
// ErrClosed, or the *CloseError that is one.
func (s Stream) Destroy(code frame.ErrorCode, message string) error {
	return s.s.call(func(m *stream.Machine, now stream.Instant) error { return m.DestroyStream(now, s.s.h, code, message) })
}

// Receipt is the peer's receipt with the highest total, 58 octets, or nil if
// there was none (IL-RFC 0039; stream.VerifyReceipt).
func (s Stream) Receipt() []byte {
	if info := s.Info(); info.HasReceipt {
		return info.Receipt[:]
	}
	return nil
}

// SendTotal sets the send maximum to total and returns when that much was sent and
// fulfilled over the stream's life. Otherwise it tells how much was, with a
// *CloseError, an *UndeliverableError, an *UnsettledError or ctx's error; after the last sending goes
// on, until SetSendMax says otherwise.
func (s Stream) SendTotal(ctx context.Context, total stream.Amount) (sent stream.Amount, err error) {
	if err := s.SetSendMax(total); err != nil {
		info, _, _ := s.s.snapshot()
		return info.Sent, err
	}
	return s.s.total(ctx, total, true, func(i *stream.StreamInfo) stream.Amount { return i.Sent })
}

// DeliverTotal sends until the peer has received total over the stream's life, in
// its units, and never more than sendMax of ours. It returns how much was delivered,
// with an error as SendTotal; it waits for as long as sendMax holds it up.
func (s Stream) DeliverTotal(ctx context.Context, total, sendMax stream.Amount) (delivered stream.Amount, err error) {
	err = s.s.call(func(m *stream.Machine, now stream.Instant) error {
		if err := m.SetDeliverMax(now, s.s.h, total); err != nil {
			return err
		}
		return m.SetSendMax(now, s.s.h, sendMax)
	})
	if err != nil {
		info, _, _ := s.s.snapshot()
		return info.Delivered, err
	}
	return s.s.total(ctx, total, true, func(i *stream.StreamInfo) stream.Amount { return i.Delivered })
}

// ReceiveTotal raises the receive maximum to total, if it is lower, and returns when that
// much was received over the stream's life: maybe more, by the 1 % of SetReceiveMax.
// Otherwise it tells how much was, with a *CloseError, ErrEngineClosed or ctx's error.
func (s Stream) ReceiveTotal(ctx context.Context, total stream.Amount) (received stream.Amount, err error) {
	info, closed, _ := s.s.snapshot()
	if closed == nil && info.ReceiveMax < total {
		if err := s.SetReceiveMax(total); err != nil && !errors.Is(err, ErrClosed) {
			return info.Received, err
		}
	}
	return s.s.total(ctx, total, false, func(i *stream.StreamInfo) stream.Amount { return i.Received })
}

// total waits until a figure reaches want; sending says that it is one of what is
// sent.
func (st *streamState) total(ctx context.Context, want stream.Amount, sending bool, figure func(*stream.StreamInfo) stream.Amount) (stream.Amount, error) {
	for {
		info, closed, changed := st.snapshot()
		have := figure(&info)
		switch {
		case have >= want:
			return have, nil
		case closed != nil:
			return have, closed
		case sending && info.LeastSource > 0:
			return have, &UndeliverableError{info.LeastSource}
		case sending && info.Unsettled > 0 && info.Sent+info.Held >= info.SendMax:
			return have, &UnsettledError{info.Unsettled}
		}
		if err := st.wait(ctx, changed); err != nil {
			return have, err
		}
	}
}

func (st *streamState) wait(ctx context.Context, changed chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-st.c.s.dead:
		return ErrEngineClosed
	}
}

// Close closes the stream for both ends, once what was written and is in flight has
// arrived. It does not wait for that: Done does.
func (s Stream) Close() error {
	err := s.s.call(func(m *stream.Machine, now stream.Instant) error { return m.CloseStream(now, s.s.h) })
	if errors.Is(err, ErrClosed) || errors.Is(err, stream.ErrClosed) {
		return nil
	}
	return err
}

// Info is what the machine knows of the stream now, or knew when it ended. Held of a
// stream that has ended is what was in flight then; it becomes Sent or free once that is
// known.
func (s Stream) Info() stream.StreamInfo {
	if _, closed, _ := s.s.snapshot(); closed == nil {
		_ = s.s.call(func(*stream.Machine, stream.Instant) error { return nil })
	}
	info, _, _ := s.s.snapshot()
	return info
}

// Handle names the stream to the machine of its shard, for Link.Do.
func (s Stream) Handle() stream.StreamHandle { return s.s.h }

// Done is closed when the stream is over. What it still held can be read.
func (s Stream) Done() <-chan struct{} { return s.s.done }

// Err is nil while the stream lives, then a *CloseError, also for a normal end
// (frame.NoError).
func (s Stream) Err() error {
	if _, closed, _ := s.s.snapshot(); closed != nil {
		return closed
	}
	return nil
}
