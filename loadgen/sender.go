package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

const (
	// setUp is how long links and connections may take to stand.
	setUp = 30 * time.Second
	// draining is how long packets in flight may take to be answered once
	// nothing new is sent.
	draining = 10 * time.Second
	// look is how often a wait looks again.
	look = 5 * time.Millisecond
)

// endless is a send maximum that no run reaches.
const endless = stream.Amount(1) << 62

// sender is the sending end: links, each with its share of the connections.
type sender struct {
	eng   *engine.Engine
	shape shape
	links []*senderLink
}

// senderLink is one link and the streams on it, one a connection. All but the
// counters belongs to the link's loop.
type senderLink struct {
	link    *engine.Link
	streams []stream.StreamHandle

	opened atomic.Int64
	closed atomic.Int64
	why    atomic.Pointer[error] // the first connection was lost for
}

// startSender dials the links and opens the connections. No money moves yet.
func startSender(ctx context.Context, s shape, to ready, stderr io.Writer) (*sender, error) {
	eng, err := newEngine(s, stderr)
	if err != nil {
		return nil, err
	}
	snd := &sender{eng: eng, shape: s}
	ctx, cancel := context.WithTimeout(ctx, setUp)
	defer cancel()
	if err := snd.connect(ctx, to); err != nil {
		snd.stop()
		return nil, err
	}
	return snd, nil
}

func (snd *sender) connect(ctx context.Context, to ready) error {
	s := snd.shape
	for i := range s.Links {
		link, err := snd.eng.DialBTP(ctx, fmt.Sprintf("btp+ws://link-%d:loadgen@%s", i, to.Addr),
			engine.LinkConfig{Window: s.Window, Loop: 1 + i%s.Loops})
		if err != nil {
			return fmt.Errorf("link %d: %w", i, err)
		}
		l := &senderLink{link: link}
		snd.links = append(snd.links, l)
		each := func(k int) (string, [32]byte) {
			c := to.Credentials[i+k*s.Links]
			return c.Address, [32]byte(c.Secret)
		}
		share := (s.Connections - i + s.Links - 1) / s.Links
		if err := link.ConnectOnLoop(share, each, engine.ConnectConfig{Options: s.options(), Handler: l}); err != nil {
			return fmt.Errorf("link %d: open %d connections: %w", i, share, err)
		}
	}
	return await(ctx, "connections to open", func() (bool, error) {
		open := 0
		for _, l := range snd.links {
			open += int(l.opened.Load())
		}
		return open == s.Connections, snd.lost()
	})
}

// options are those of every connection. The rate is known, so none is probed;
// the packet amount is fixed, so that every packet is a round trip of its own
// and a stream is never done.
func (s shape) options() stream.Options {
	return stream.Options{
		RateNum: 1, RateDen: 1, MaxPacketAmount: stream.Amount(s.PacketAmount), MaxInFlight: s.Window, IdleTimeout: -1,
	}
}

// HandleEvents opens a stream on every connection that stands.
func (l *senderLink) HandleEvents(lp *engine.OnLoop, events []stream.Event) {
	m := lp.Machine()
	for i := range events {
		switch e := &events[i]; e.Kind {
		case stream.EventConnected:
			s, err := m.OpenStream(lp.Now(), e.Conn)
			if err != nil {
				l.lose(fmt.Errorf("open a stream: %w", err))
				continue
			}
			l.streams = append(l.streams, s)
			l.opened.Add(1)
		case stream.EventClosed:
			why := "by us"
			if e.Remote {
				why = "by the receiver"
			}
			message := ""
			if info, ok := m.ConnInfo(e.Conn); ok && len(info.CloseMessage) > 0 {
				message = ": " + string(info.CloseMessage)
			}
			l.lose(fmt.Errorf("a connection was closed %s with %v%s", why, e.Code, message))
		}
	}
}

func (l *senderLink) lose(err error) {
	l.why.CompareAndSwap(nil, &err)
	l.closed.Add(1)
}

// lost says how many connections were lost, and why the first was.
func (snd *sender) lost() error {
	var n int64
	var why error
	for _, l := range snd.links {
		n += l.closed.Load()
		if e := l.why.Load(); e != nil && why == nil {
			why = *e
		}
	}
	return errors.Join(snd.eng.Err(), lostError(n, why))
}

func lostError(n int64, why error) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d connections lost; the first: %w", n, why)
}

// begin lets the money flow.
func (snd *sender) begin() error {
	return snd.eachLink(func(lp *engine.OnLoop, l *senderLink) error {
		for _, s := range l.streams {
			if err := lp.Machine().SetSendMax(lp.Now(), s, endless); err != nil {
				return fmt.Errorf("begin to send: %w", err)
			}
		}
		return nil
	})
}

// drain sends nothing new, and waits until nothing is in flight.
func (snd *sender) drain() error {
	err := snd.eachLink(func(lp *engine.OnLoop, l *senderLink) error {
		for _, s := range l.streams {
			info, ok := lp.Machine().StreamInfo(s)
			if !ok {
				continue // closed, and counted as lost
			}
			if err := lp.Machine().SetSendMax(lp.Now(), s, info.Sent+info.Held); err != nil && !errors.Is(err, stream.ErrClosed) {
				return fmt.Errorf("stop sending: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), draining)
	defer cancel()
	return await(ctx, "packets in flight to be answered", func() (bool, error) {
		var held stream.Amount
		err := snd.eachLink(func(lp *engine.OnLoop, l *senderLink) error {
			for _, s := range l.streams {
				if info, ok := lp.Machine().StreamInfo(s); ok {
					held += info.Held
				}
			}
			return nil
		})
		return held == 0, err
	})
}

// eachLink runs f on the loop of each link in turn.
func (snd *sender) eachLink(f func(*engine.OnLoop, *senderLink) error) error {
	for _, l := range snd.links {
		var err error
		gone := l.link.Do(func(lp *engine.OnLoop) { err = f(lp, l) })
		if err = errors.Join(gone, err); err != nil {
			return err
		}
	}
	return nil
}

func (snd *sender) stop() { closeEngine(snd.eng) }

// await looks until done says so, ctx ends, or something went wrong.
func await(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		}
	}
}
