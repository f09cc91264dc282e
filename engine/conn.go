package engine

import (
	"context"
	"sync"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

type errorCode = frame.ErrorCode

// Connection is one STREAM connection, as the blocking door sees it. It is a small
// value, safe for concurrent use, but not from a Handler. The zero value is no
// connection.
type Connection struct{ c *connState }

// ConnInfo is what a connection tells of itself: stream.ConnInfo, whose slices are
// copies, kept when the connection is over.
type ConnInfo = stream.ConnInfo

// connState is what the handles of a connection share.
type connState struct {
	s *shard
	h stream.ConnHandle

	mu        sync.Mutex
	changed   chan struct{} // closed at the next change
	connected bool
	info      ConnInfo
	offered   []*streamState // wait for AcceptStream
	closed    *CloseError
	done      chan struct{}
}

func (s *shard) newConnState(h stream.ConnHandle) *connState {
	c := &connState{s: s, h: h, changed: make(chan struct{}), done: make(chan struct{})}
	c.refresh()
	return c
}

// change changes what is under the lock, and wakes those who wait.
func (c *connState) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// refresh publishes the machine's figures. On the loop.
func (c *connState) refresh() {
	if info, ok := c.s.m.ConnInfo(c.h); ok {
		info = cloneInfo(info)
		c.change(func() { c.info = info })
	}
}

func cloneInfo(i ConnInfo) ConnInfo {
	for _, b := range []*[]byte{&i.Tag, &i.Local, &i.Peer, &i.AssetCode, &i.CloseMessage} {
		*b = append([]byte(nil), *b...)
	}
	return i
}

// offer puts a stream up for AcceptStream; false when too many wait.
func (c *connState) offer(st *streamState) bool {
	ok := false
	c.change(func() {
		if ok = len(c.offered) < maxAccepts; ok {
			c.offered = append(c.offered, st)
		}
	})
	return ok
}

func (c *connState) end(closed *CloseError) {
	c.change(func() {
		if c.closed == nil {
			c.closed = closed
			close(c.done)
		}
	})
}

// peer is the address of the other end.
func (c *connState) peer() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info.Peer
}

func (c *connState) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		return nil
	}
	return c.closed
}

// wait returns when until holds, or the connection is over, or ctx is. until is
// asked under the lock.
func (c *connState) wait(ctx context.Context, until func() bool) error {
	for {
		c.mu.Lock()
		holds, closed, changed := until(), c.closed, c.changed
		c.mu.Unlock()
		switch {
		case holds:
			return nil
		case closed != nil:
			return closed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.s.dead:
			return ErrEngineClosed
		}
	}
}

// OpenStream opens a stream. It fails with stream.ErrStreamIDs while the peer takes
// no more of them, and with a *CloseError when the connection is over.
func (c Connection) OpenStream() (Stream, error) {
	var st *streamState
	var failed error
	if err := c.c.s.call(func() {
		var h stream.StreamHandle
		if h, failed = c.c.s.m.OpenStream(c.c.s.now(), c.c.h); failed == nil {
			st = c.c.s.newStreamState(c.c, h)
		}
	}); err != nil {
		return Stream{}, err
	}
	if failed != nil {
		return Stream{}, c.c.or(failed)
	}
	return Stream{st}, nil
}

// or is how the connection ended, if it has, or else err.
func (c *connState) or(err error) error {
	if closed := c.err(); closed != nil {
		return closed
	}
	return err
}

// AcceptStream waits for the next stream that the peer opened. 1024 streams wait;
// further ones are closed. It fails with a *CloseError when the connection is over
// and all its streams were taken, or with ctx's error.
func (c Connection) AcceptStream(ctx context.Context) (Stream, error) {
	var st *streamState
	err := c.c.wait(ctx, func() bool {
		if st == nil && len(c.c.offered) > 0 {
			st = c.c.offered[0]
			c.c.offered = c.c.offered[1:]
		}
		return st != nil
	})
	if err != nil {
		return Stream{}, err
	}
	st.accepted()
	return Stream{st}, nil
}

// Info is what the machine knows of the connection now, or knew when it ended. Held of
// one that has ended is what was in flight then; it becomes Sent or free once that is
// known.
func (c Connection) Info() ConnInfo {
	var info ConnInfo
	ok := false
	if c.c.err() == nil {
		_ = c.c.s.call(func() {
			if info, ok = c.c.s.m.ConnInfo(c.c.h); ok {
				info = cloneInfo(info)
			}
		})
	}
	if ok {
		return info
	}
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	return c.c.info
}

// Tag is what the server put into the credentials; empty at the client.
func (c Connection) Tag() string {
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	return string(c.c.info.Tag)
}

// Handle names the connection to the machine of its shard, for Link.Do.
func (c Connection) Handle() stream.ConnHandle { return c.c.h }

// Close closes the connection once its streams have sent what they were given, and
// waits for that, or for ctx, whose error it returns then, or ErrEngineClosed. A
// connection that is over already is no error.
func (c Connection) Close(ctx context.Context) error {
	if err := c.c.s.call(func() { _ = c.c.s.m.CloseConn(c.c.s.now(), c.c.h) }); err != nil {
		return err
	}
	select {
	case <-c.c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.c.s.dead:
		return ErrEngineClosed
	}
}

// Destroy ends the connection at once, with an error for the peer: code, of which zero
// means ApplicationError, and up to 1024 octets of message. Money in flight stays accounted
// for. One that is over already is no error.
func (c Connection) Destroy(code frame.ErrorCode, message string) error {
	return c.c.destroy(code, message)
}

func (c *connState) destroy(code errorCode, message string) error {
	if code == 0 {
		code = frame.ApplicationError
	}
	var failed error
	if err := c.s.call(func() { failed = c.s.m.DestroyConn(c.s.now(), c.h, code, message) }); err != nil {
		return err
	}
	if failed != nil && c.err() != nil {
		return nil
	}
	return failed
}

// Done is closed when the connection is over.
func (c Connection) Done() <-chan struct{} { return c.c.done }

// Err is nil while the connection lives, then a *CloseError, also for a normal end
// (frame.NoError).
func (c Connection) Err() error { return c.c.err() }
