package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// liveEvery is how often the live line moves.
const liveEvery = time.Second

// receivingEnd is a receiver, in this process or in another.
type receivingEnd interface {
	sample() (sample, error)
	// settled is the resident memory once what is not used was given back.
	settled() (uint64, error)
	// startProfile and stopProfile take a CPU profile of the receiver's process,
	// nil when that is the sender's, too.
	startProfile() error
	stopProfile() ([]byte, error)
	stop()
}

// startReceiving starts the receiver where the flags want it.
func startReceiving(cfg config, stderr io.Writer) (receivingEnd, ready, error) {
	if cfg.processes > 1 {
		c, r, err := startChild(order{Op: "start", Shape: cfg.shape()}, stderr)
		if err != nil {
			return nil, ready{}, err
		}
		return c, r, nil
	}
	r, err := startReceiver(cfg.shape(), stderr)
	if err != nil {
		return nil, ready{}, err
	}
	return r, r.ready, nil
}

// runLoad is the main job: both ends, the measured time, the money, the report.
func runLoad(ctx context.Context, cfg config, stdout, stderr io.Writer) int {
	show := newLive(stderr)
	show.say("starting %s connections on %s links", grouped(uint64(cfg.profile.Connections)), grouped(uint64(cfg.profile.Links)))
	m, err := load(ctx, cfg, show, stderr)
	show.clear()
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted before anything was sent")
		}
		return complain(stderr, err)
	}
	r := m.figures(cfg)
	if r.Profile, err = m.stageFigures(cfg); err != nil && r.Failure == "" {
		r.Failure = err.Error()
	}
	if !m.interrupted {
		show.say("null engine, for comparison")
		if err = r.measureNulls(ctx, cfg); err != nil && r.Failure == "" {
			r.Failure = err.Error()
		}
		show.clear()
	}
	r.table(tableTo(cfg, stdout, stderr))
	if err := writeJSON(cfg.json, stdout, r); err != nil {
		return complain(stderr, err)
	}
	if !r.good() {
		return exitFailed
	}
	return exitDone
}

// load runs both ends and stops them. What went wrong after money began to
// flow is in the result: the money is reported all the same.
func load(ctx context.Context, cfg config, show *live, stderr io.Writer) (m measured, err error) {
	rcv, to, err := startReceiving(cfg, stderr)
	if err != nil {
		return m, err
	}
	defer rcv.stop()
	if cfg.delay > 0 {
		path, between, err := startChild(order{Op: "relay", Target: to.Addr, Delay: cfg.delay}, stderr)
		if err != nil {
			return m, err
		}
		defer path.stop()
		to.Addr = between.Addr
	}
	snd, err := startSender(ctx, cfg.shape(), to, stderr)
	if err != nil {
		return m, err
	}
	defer snd.stop()
	if m.opening, err = openAll(ctx, cfg, snd, rcv); err != nil {
		return m, err
	}
	if cfg.data > 0 {
		snd.flaw = cfg.flaw
		m.failure = m.profiled(cfg, rcv, func() error { return m.transfer(ctx, cfg, snd, rcv, show) })
	} else {
		m.failure = m.money(ctx, cfg, snd, rcv, show)
	}
	m.interrupted = ctx.Err() != nil
	show.say("draining")
	m.failure = errors.Join(m.failure, snd.drain(), snd.lost())
	if snd.pacer != nil {
		m.failure = errors.Join(m.failure, m.latencies(snd))
	}
	if cfg.sleep > 0 && m.failure == nil && !m.interrupted {
		show.say("waiting for the connections to fall asleep")
		m.asleep, m.failure = fallAsleep(ctx, cfg, m.opening, snd, rcv)
	}
	final, err := rcv.sample()
	if err != nil {
		return m, fmt.Errorf("the receiver's books are lost: %w", err)
	}
	m.sent, m.received = take(snd.eng).Sent, final.Released
	if m.failure == nil && !m.interrupted && cfg.data == 0 && m.sender.SentPackets == 0 {
		m.failure = errors.New("no round trip was completed in the measured time")
	}
	return m, nil
}

// money has money flow for the measured time.
func (m *measured) money(ctx context.Context, cfg config, snd *sender, rcv receivingEnd, show *live) error {
	if err := snd.begin(); err != nil {
		return err
	}
	pause(ctx, time.Duration(cfg.profile.WarmUp))
	if ctx.Err() != nil {
		return snd.lost()
	}
	return m.profiled(cfg, rcv, func() error { return m.measure(ctx, cfg, snd, rcv, show) })
}

// measure fills in what comes in the measured time.
func (m *measured) measure(ctx context.Context, cfg config, snd *sender, rcv receivingEnd, show *live) error {
	if err := snd.mark(); err != nil {
		return err
	}
	r0, err := rcv.sample()
	if err != nil {
		return err
	}
	s0, pacing := take(snd.eng), snd.pacing()
	show.begin(s0)
	err = m.wait(ctx, cfg, snd, show)
	r1, err1 := rcv.sample()
	s1 := take(snd.eng)
	m.window, m.sender, m.receiver, m.pacing = s1.At.Sub(s0.At), s1.minus(s0), r1.minus(r0), snd.pacing()-pacing
	if snd.pacer == nil {
		err = errors.Join(err, m.latencies(snd))
	}
	return errors.Join(err, err1, snd.unmark())
}

func (m *measured) latencies(snd *sender) (err error) {
	m.latency, m.open, err = snd.latencies()
	return err
}

// wait lets the measured time pass, and shows how it goes.
func (m *measured) wait(ctx context.Context, cfg config, snd *sender, show *live) error {
	end := time.After(cfg.duration())
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			show.second(take(snd.eng))
			if err := snd.lost(); err != nil {
				return err
			}
		case <-end:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// pause sleeps, but for an interruption.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
