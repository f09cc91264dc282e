package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/internal/nullengine"
)

const (
	// setUp is how long links may take to stand, and openingTime what each
	// connection may add to that.
	setUp       = 30 * time.Second
	openingTime = 100 * time.Microsecond
	// draining is how long packets in flight may take to be answered once
	// nothing new is sent.
	draining = 10 * time.Second
	// A wait looks again after firstLook, then ever less often, so that what is
	// measured meanwhile has the machine to itself.
	firstLook = time.Millisecond
	lastLook  = 32 * time.Millisecond
)

// endless is a send maximum that no run reaches.
const endless = stream.Amount(1) << 62

// sender is the sending end: links, and on each loop the streams of its links.
type sender struct {
	eng     *engine.Engine
	shape   shape
	crowds  []*crowd
	flaw    int64  // outgoing.flaw
	pacer   *pacer // of an open loop
	links   []*engine.Link
	to      ready
	issuing time.Duration // CPU time that the credentials took
}

// startSender dials the links.
func startSender(ctx context.Context, s shape, to ready, stderr io.Writer) (*sender, error) {
	eng, err := newEngine(s, s.senderCPUs(), stderr)
	if err != nil {
		return nil, err
	}
	snd := &sender{eng: eng, shape: s, to: to}
	for range min(s.Loops, s.Links) {
		snd.crowds = append(snd.crowds, new(crowd))
	}
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
		loop := i % s.Loops
		link, err := snd.eng.DialBTP(ctx, fmt.Sprintf("btp+ws://link-%d:loadgen@%s", i, to.Addr),
			engine.LinkConfig{Window: s.Window, Loop: 1 + loop})
		if err != nil {
			return fmt.Errorf("link %d: %w", i, err)
		}
		snd.links = append(snd.links, link)
		snd.crowds[loop].link = link
	}
	return nil
}

// open opens the connections, each with one stream. No money moves yet.
func (snd *sender) open(ctx context.Context) error {
	s := snd.shape
	share := func(link int) int { return (s.Connections - link + s.Links - 1) / s.Links }
	for k, c := range snd.crowds {
		n := 0
		for i := k; i < s.Links; i += s.Loops {
			n += share(i)
		}
		if err := c.expect(n); err != nil {
			return err
		}
	}
	for i, link := range snd.links {
		c, share := snd.crowds[i%s.Loops], share(i)
		is, err := newIssuer(snd.to, &snd.issuing)
		if err != nil {
			return err
		}
		each := func(k int) (string, [32]byte) { return is.each(k, share) }
		if err := link.ConnectOnLoop(share, each, engine.ConnectConfig{Options: s.options(), Handler: c}); err != nil {
			return fmt.Errorf("link %d: open %d connections: %w", i, share, err)
		}
	}
	return await(ctx, "connections to open", func() (bool, error) {
		open := 0
		for _, c := range snd.crowds {
			open += int(c.opened.Load())
		}
		return open == s.Connections, snd.lost()
	})
}

// options are those of every connection. The rate is fixed unless it is to be
// discovered; the packet amount is fixed, so that every packet is a round trip of
// its own and a stream is never done.
func (s shape) options() stream.Options {
	o := stream.Options{MaxPacketAmount: stream.Amount(s.PacketAmount), MaxInFlight: s.Window, IdleTimeout: -1}
	// An open loop takes its latencies from the events of money; else the machine's totals say all.
	o.NoMoneyEvents, o.NoTotalEvents = s.Rate == 0, true
	o.SleepAfter = int64(s.Sleep)
	if s.Data > 0 {
		o.SendBuffer = dataWindow(s.Connections)
	}
	if !s.Probe {
		o.RateNum, o.RateDen = 1, 1
	}
	return o
}

// lost says how many connections were lost, and why the first was.
func (snd *sender) lost() error {
	var n int64
	var why error
	for _, c := range snd.crowds {
		n += c.closed.Load()
		if e := c.why.Load(); e != nil && why == nil {
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

// begin lets the money or the octets flow, over the streams in the order of the shape.
func (snd *sender) begin() error {
	base := time.Now()
	for i, c := range snd.crowds {
		var err error
		if snd.shape.Order == randomOrder {
			err = c.shuffle(uint64(i) + 1)
		}
		switch {
		case err != nil:
		case snd.shape.Data > 0:
			err = c.beginData(snd.shape.Data, snd.flaw)
		case snd.shape.Rate > 0:
			err = c.beginOpen(snd.shape, base, i, len(snd.crowds))
		default:
			err = c.beginClosed()
		}
		if err != nil {
			return err
		}
	}
	if snd.shape.Rate > 0 {
		var err error
		snd.pacer, err = startPacer(snd.crowds)
		return err
	}
	return nil
}

// mark begins the measured time.
func (snd *sender) mark() error {
	snd.eng.ResetRoundTrips()
	return snd.onLoops(func(_ *engine.OnLoop, c *crowd) error {
		if c.open != nil {
			c.open.mark()
		}
		return nil
	})
}

// unmark ends the measured time, if it has not ended, and the arrivals of an open loop.
func (snd *sender) unmark() error {
	return snd.onLoops(func(_ *engine.OnLoop, c *crowd) error {
		if c.open != nil {
			c.open.close()
		}
		return nil
	})
}

// latencies are those of the measured time. An open loop is asked once it is drained.
func (snd *sender) latencies() (latency, *openFigures, error) {
	if snd.pacer == nil {
		return roundTrips(snd.eng), nil, nil
	}
	o := &openFigures{Rate: snd.shape.Rate, Arrivals: snd.shape.Arrivals}
	trips, lag := nullengine.NewHistogram(), nullengine.NewHistogram()
	err := snd.onLoops(func(_ *engine.OnLoop, c *crowd) error {
		o.Unanswered += c.open.giveUp()
		o.Behind += c.open.behind
		trips.Merge(c.open.latency)
		lag.Merge(c.open.lag)
		return nil
	})
	o.Due, o.Lag = uint64(trips.TotalCount()), nullengine.LatencyOf(lag)
	return nullengine.LatencyOf(trips), o, err
}

// drain sends nothing new, and waits until nothing is in flight. In an open loop
// what was due is sent still, in time.
func (snd *sender) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), draining+time.Duration(snd.shape.Delay))
	defer cancel()
	if err := snd.unmark(); err != nil {
		return err
	}
	if snd.pacer != nil {
		err := await(ctx, "what was due to be answered", func() (bool, error) {
			all := true
			err := snd.onLoops(func(_ *engine.OnLoop, c *crowd) error {
				all = all && c.open.answered()
				return nil
			})
			return all, err
		})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		ctx, cancel = context.WithTimeout(context.Background(), draining+time.Duration(snd.shape.Delay))
		defer cancel()
	}
	for _, c := range snd.crowds {
		if err := c.stopSending(); err != nil {
			return err
		}
	}
	if err := await(ctx, "packets in flight to be answered", func() (bool, error) {
		return snd.eng.Stats().InFlight == 0, nil
	}); err != nil {
		return err
	}
	return await(ctx, "money in flight to be answered", func() (bool, error) {
		var held stream.Amount
		for _, c := range snd.crowds {
			if err := c.each(func(lp *engine.OnLoop, _ int, s stream.StreamHandle) error {
				if info, ok := lp.Machine().StreamInfo(s); ok {
					held += info.Held
				}
				return nil
			}); err != nil {
				return false, err
			}
		}
		return held == 0, nil
	})
}

// onLoops runs f on each loop in turn.
func (snd *sender) onLoops(f func(*engine.OnLoop, *crowd) error) error {
	for _, c := range snd.crowds {
		var err error
		gone := c.link.Do(func(lp *engine.OnLoop) { err = f(lp, c) })
		if err = errors.Join(gone, err); err != nil {
			return err
		}
	}
	return nil
}

func (snd *sender) stop() {
	if snd.pacer != nil {
		snd.pacer.end()
	}
	closeEngine(snd.eng)
}

// await looks until done says so, ctx ends, or something went wrong.
func await(ctx context.Context, what string, done func() (bool, error)) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		}
	}
}
