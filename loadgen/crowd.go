package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// atOnce is how many streams one visit of the loop works on, so that a million of
// them do not hold it up.
const atOnce = 1024

// crowd is the streams on one event loop of the sender, one a connection. All but
// the counters belongs to the loop.
type crowd struct {
	link    *engine.Link // any of the loop's: a way onto it
	streams []stream.StreamHandle
	open    *arrivals            // nil in a closed loop
	data    *outgoing            // nil when money is sent
	watch   func(*engine.OnLoop) // pacer.watch for this loop

	opened atomic.Int64
	closed atomic.Int64
	why    atomic.Pointer[error] // the first connection was lost for
}

// HandleEvents opens a stream on every connection that stands, and takes note of what an
// open loop has paid.
func (c *crowd) HandleEvents(lp *engine.OnLoop, events []stream.Event) {
	m := lp.Machine()
	var now int64
	if c.open != nil {
		now = c.open.now()
	}
	for i := range events {
		if c.open != nil && i+eventsAhead < len(events) {
			c.open.fetch(events[i+eventsAhead].User - 1)
		}
		switch e := &events[i]; e.Kind {
		case stream.EventConnected:
			c.connected(lp, e)
		case stream.EventMoneySent:
			if c.open != nil {
				c.open.paid(e.User-1, e.Amount, now)
			}
		case stream.EventWritable:
			if err := c.write(lp, int(e.User-1)); err != nil {
				c.lose(err)
			}
		case stream.EventClosed:
			why := "by us"
			if e.Remote {
				why = "by the receiver"
			}
			message := ""
			if info, ok := m.ConnInfo(e.Conn); ok && len(info.CloseMessage) > 0 {
				message = ": " + string(info.CloseMessage)
			}
			c.lose(fmt.Errorf("a connection was closed %s with %v%s", why, e.Code, message))
		}
	}
}

// eventsAhead is how many events before its turn a stream's target is asked for.
const eventsAhead = 8

// expect makes room for n streams before the first is opened: the loop would copy those
// that it has.
func (c *crowd) expect(n int) error {
	room := make([]stream.StreamHandle, 0, n)
	return c.link.Do(func(*engine.OnLoop) { c.streams = room })
}

func (c *crowd) connected(lp *engine.OnLoop, e *stream.Event) {
	m := lp.Machine()
	s, err := m.OpenStream(lp.Now(), e.Conn)
	if err == nil {
		err = m.SetSendMax(lp.Now(), s, 0) // tells the receiver of it at once
	}
	if err != nil {
		c.lose(fmt.Errorf("open a stream: %w", err))
		return
	}
	c.streams = append(c.streams, s)
	c.opened.Add(1)
}

func (c *crowd) lose(err error) {
	c.why.CompareAndSwap(nil, &err)
	c.closed.Add(1)
}

// shuffle brings the streams into random order: from here on, loads use them in an
// order that has nothing to do with where they are in memory.
func (c *crowd) shuffle(seed uint64) error {
	return c.link.Do(func(*engine.OnLoop) {
		r := rand.New(rand.NewPCG(seed, seed))
		r.Shuffle(len(c.streams), func(i, k int) { c.streams[i], c.streams[k] = c.streams[k], c.streams[i] })
	})
}

// each runs f for every stream, on the loop, some at a time.
func (c *crowd) each(f func(lp *engine.OnLoop, i int, s stream.StreamHandle) error) error {
	for from := 0; ; from += atOnce {
		var err error
		all := false
		gone := c.link.Do(func(lp *engine.OnLoop) {
			for i := from; i < from+atOnce && err == nil; i++ {
				if all = i >= len(c.streams); all {
					return
				}
				err = f(lp, i, c.streams[i])
			}
		})
		if err = errors.Join(gone, err); err != nil || all {
			return err
		}
	}
}

// beginClosed lets money flow as fast as it is answered.
func (c *crowd) beginClosed() error {
	return c.each(func(lp *engine.OnLoop, _ int, s stream.StreamHandle) error {
		if err := lp.Machine().SetSendMax(lp.Now(), s, endless); err != nil {
			return fmt.Errorf("begin to send: %w", err)
		}
		return nil
	})
}

// beginOpen lets money flow as it is due.
func (c *crowd) beginOpen(s shape, base time.Time, loop, loops int) error {
	if err := c.each(func(lp *engine.OnLoop, i int, s stream.StreamHandle) error {
		if info, ok := lp.Machine().StreamInfo(s); ok {
			lp.Machine().SetConnUser(info.Conn, uint64(i)+1)
		}
		return nil
	}); err != nil {
		return err
	}
	var a *arrivals
	if err := c.link.Do(func(*engine.OnLoop) { a = newArrivals(s, base, loop, loops, c.streams) }); err != nil {
		return err
	}
	return c.link.Do(func(*engine.OnLoop) { c.open = a })
}

// stopSending takes back what was allowed and has not left.
func (c *crowd) stopSending() error {
	return c.each(func(lp *engine.OnLoop, _ int, s stream.StreamHandle) error {
		info, ok := lp.Machine().StreamInfo(s)
		if !ok {
			return nil // closed, and counted as lost
		}
		if err := lp.Machine().SetSendMax(lp.Now(), s, info.Sent+info.Held); err != nil && !errors.Is(err, stream.ErrClosed) {
			return fmt.Errorf("stop sending: %w", err)
		}
		return nil
	})
}
