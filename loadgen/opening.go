package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// openingFigures is what the connections cost before any money moved. One process
// cannot tell its ends apart: then only Total is known.
type openingFigures struct {
	Connections int     `json:"connections"`
	Probed      bool    `json:"probed"`   // their rates were discovered, not fixed
	Reserved    bool    `json:"reserved"` // memory for them was made ready before
	Seconds     float64 `json:"seconds"`
	// CPU is that of both processes per connection, from its credentials until both
	// ends had it with one stream, without the issuing of the credentials.
	CPU perEnd `json:"cpu_ns_per_connection"`
	// Issuing is what the credentials took of the sender's process.
	Issuing float64 `json:"credentials_cpu_ns_per_connection"`
	// Memory is how much the resident memory has grown; zeros where that is not known.
	Memory perEnd `json:"resident_octets_per_connection"`
	// Pause is the longest that a loop was busy with one thing, until all were open.
	Pause pauses `json:"longest_pause_ns"`
	// Own is the part of Memory that the sender of the load itself keeps.
	Own float64 `json:"own_octets_per_connection"`

	sender, receiver uint64 // resident octets of the processes before
}

// asleepFigures is what the connections cost once they have moved money and sleep.
type asleepFigures struct {
	Seconds float64 `json:"seconds"` // from the last packet until all slept
	// Memory is how much the resident memory has grown since before they were opened;
	// zeros where that is not known.
	Memory perEnd `json:"resident_octets_per_connection"`
}

// perEnd is a figure of each end and of both.
type perEnd struct {
	Sender   *float64 `json:"sender"`
	Receiver *float64 `json:"receiver"`
	Total    float64  `json:"total"`
}

// pauses is the longest of each end. They are of the loops, which can be told apart
// in one process, too.
type pauses struct {
	Sender   time.Duration `json:"sender"`
	Receiver time.Duration `json:"receiver"`
}

// ownOctets is what a crowd keeps a connection: the handle of its stream.
const ownOctets = 8

// openAll opens the connections, and measures what that takes.
func openAll(ctx context.Context, cfg config, snd *sender, rcv receivingEnd) (*openingFigures, error) {
	n := cfg.profile.Connections
	ctx, cancel := context.WithTimeout(ctx, setUp+time.Duration(n)*openingTime)
	defer cancel()
	rcvEmpty, err := rcv.settled()
	if err != nil {
		return nil, err
	}
	sndEmpty := settle()
	r0, err := rcv.sample()
	if err != nil {
		return nil, err
	}
	s0 := take(snd.eng)
	if err := snd.open(ctx); err != nil {
		return nil, err
	}
	if err := bothOpen(ctx, cfg, snd, rcv); err != nil {
		return nil, err
	}
	r1, err := rcv.sample()
	if err != nil {
		return nil, err
	}
	s1 := take(snd.eng)
	rcvFull, err := rcv.settled()
	if err != nil {
		return nil, err
	}
	sndFull := settle()

	s, r := s1.minus(s0), r1.minus(r0)
	o := &openingFigures{Connections: n, Probed: cfg.probe, Reserved: cfg.reserve, Seconds: rounded(s1.At.Sub(s0.At).Seconds(), 3), Own: ownOctets, sender: sndEmpty, receiver: rcvEmpty}
	o.Issuing = rounded(float64(snd.issuing)/float64(n), 1)
	apart := cfg.processes > 1
	o.Pause = pauses{s1.LongestWake, r1.LongestWake}
	o.CPU = eachEnd(float64(s.User+s.System-snd.issuing), float64(r.User+r.System), n, apart)
	if cfg.reserve || cfg.sleep > 0 {
		return o, nil // most of what they take was there before, or some sleep already
	}
	o.Memory = eachEnd(float64(sndFull)-float64(sndEmpty), float64(rcvFull)-float64(rcvEmpty), n, apart)
	return o, nil
}

// fallAsleep waits until all connections sleep at both ends, and measures what they take.
func fallAsleep(ctx context.Context, cfg config, o *openingFigures, snd *sender, rcv receivingEnd) (*asleepFigures, error) {
	n := cfg.profile.Connections
	ctx, cancel := context.WithTimeout(ctx, 4*cfg.sleep+setUp+time.Duration(n)*openingTime)
	defer cancel()
	from := time.Now()
	if err := await(ctx, "the connections to fall asleep", func() (bool, error) {
		s, err := rcv.sample()
		return s.Folded == n && snd.eng.Stats().Folded == n, errors.Join(err, snd.lost())
	}); err != nil {
		s, _ := rcv.sample()
		return nil, fmt.Errorf("%w: %d sleep at the sender and %d at the receiver, of %d", err, snd.eng.Stats().Folded, s.Folded, n)
	}
	a := &asleepFigures{Seconds: rounded(time.Since(from).Seconds(), 3)}
	receiver, err := rcv.settled()
	if err != nil {
		return nil, err
	}
	a.Memory = eachEnd(float64(settle())-float64(o.sender), float64(receiver)-float64(o.receiver), n, cfg.processes > 1)
	return a, nil
}

// eachEnd is what n connections took of each end. In one process both figures are of
// both ends.
func eachEnd(sender, receiver float64, n int, apart bool) (e perEnd) {
	s, r := rounded(sender/float64(n), 1), rounded(receiver/float64(n), 1)
	if !apart {
		return perEnd{Total: s}
	}
	return perEnd{&s, &r, rounded((sender+receiver)/float64(n), 1)}
}

// bothOpen waits until the receiver has every connection, and nothing is on its way.
func bothOpen(ctx context.Context, cfg config, snd *sender, rcv receivingEnd) error {
	if err := await(ctx, "the receiver to see every connection", func() (bool, error) {
		s, err := rcv.sample()
		return s.Connections >= cfg.profile.Connections, errors.Join(err, snd.lost())
	}); err != nil {
		return err
	}
	return await(ctx, "the connections to be quiet", func() (bool, error) {
		return snd.eng.Stats().InFlight == 0, snd.lost()
	})
}

// settle gives back what is not used, and says how much memory of this process is
// resident: 0 where the system does not tell.
func settle() uint64 {
	debug.FreeOSMemory()
	return resident()
}

// resident reads Linux's /proc/self/statm.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
