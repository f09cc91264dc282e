package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// live shows one line a second while a run goes on: rewritten in place on a
// terminal, one below the other elsewhere.
type live struct {
	w        io.Writer
	terminal bool
	width    int // of what stands on the line
	last     sample
	start    time.Time
}

func newLive(w io.Writer) *live { return &live{w: w, terminal: isTerminal(w)} }

// isTerminal says whether a person reads along.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// say shows what is going on.
func (l *live) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !l.terminal {
		_, _ = fmt.Fprintln(l.w, text)
		return
	}
	_, _ = fmt.Fprintf(l.w, "\r%-*s", l.width, text)
	l.width = len(text)
}

// clear takes the line away from a terminal.
func (l *live) clear() {
	if l.terminal && l.width > 0 {
		_, _ = fmt.Fprintf(l.w, "\r%*s\r", l.width, "")
		l.width = 0
	}
}

// begin starts the measured time at a sample of the sender.
func (l *live) begin(s sample) { l.last, l.start = s, s.At }

// second shows what came since the last second.
func (l *live) second(s sample) {
	d := s.minus(l.last)
	rate := 0.0
	if span := s.At.Sub(l.last.At); span > 0 {
		rate = float64(d.SentPackets) / span.Seconds()
	}
	l.say("%6.1f s   %s round trips/s   %s in flight   %s rejects", s.At.Sub(l.start).Seconds(),
		grouped(uint64(rate+0.5)), grouped(uint64(max(0, s.InFlight))), grouped(d.RejectsIn.total()))
	l.last = s
}
