package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// watched is a stream whose incoming money and data are reported.
type watched struct {
	s     engine.Stream
	out   *output
	label object // fields that every line of the stream begins with
	flags flags

	mu          sync.Mutex
	bytes       int
	hash        hash.Hash
	moneyEvents int
	failed      string
}

func newWatched(s engine.Stream, out *output, label object) *watched {
	return &watched{s: s, out: out, label: label, hash: sha256.New()}
}

func (w *watched) say(event string, fields ...any) {
	line := append(append(make(object, 0, len(w.label)+len(fields)), w.label...), fields...)
	w.out.say(event, line...)
}

// follow reports until the stream is over and read, or ctx ends.
func (w *watched) follow(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { w.money(ctx) })
	both.Go(w.data)
	both.Wait()
	w.mu.Lock()
	failed, octets := w.failed, w.bytes
	w.mu.Unlock()
	if failed != "" {
		w.say("stream-error", "message", failed)
	}
	info := w.s.Info()
	w.say("stream-close", "totalReceived", amount(info.Received), "totalSent", amount(info.Sent), "bytes", octets)
}

// money reports each increase of what was received.
func (w *watched) money(ctx context.Context) {
	var seen stream.Amount
	for {
		received, err := w.more(ctx, seen)
		if received > seen {
			w.mu.Lock()
			w.moneyEvents++
			w.mu.Unlock()
			w.say("money", "amount", amount(received-seen), "totalReceived", amount(received))
			seen = received
		}
		if err != nil {
			return
		}
	}
}

// more waits until more than seen was received, and fails at the end. To wait
// for more than the stream takes would raise its receive maximum: while that is
// used up, more waits for somebody else to raise it.
func (w *watched) more(ctx context.Context, seen stream.Amount) (stream.Amount, error) {
	info := w.s.Info()
	if info.Received > seen {
		return info.Received, nil
	}
	if info.ReceiveMax > seen {
		received, err := w.s.ReceiveTotal(ctx, seen+1)
		if err != nil {
			received = max(received, w.s.Info().Received)
		}
		return received, err
	}
	select {
	case <-w.s.Done():
		return w.s.Info().Received, engine.ErrClosed
	case <-ctx.Done():
		return info.Received, ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return info.Received, nil
	}
}

// data reports what is read, until the end.
func (w *watched) data() {
	piece := make([]byte, w.flags.number("read-bytes", 64<<10))
	slow := w.flags.on("read-bytes")
	for {
		n, err := w.s.Read(piece)
		if n > 0 {
			w.took(piece[:n])
		}
		switch {
		case errors.Is(err, io.EOF):
			w.ended()
			return
		case err != nil:
			w.mu.Lock()
			w.failed = badEnd(err)
			w.mu.Unlock()
			if badEnd(err) == "" {
				w.ended()
			}
			return
		}
		if slow {
			time.Sleep(w.flags.ms("read-ms", 20*time.Millisecond))
		}
	}
}

// took counts, prints and echoes a piece of data.
func (w *watched) took(p []byte) {
	w.mu.Lock()
	w.bytes += len(p)
	total := w.bytes
	_, _ = w.hash.Write(p)
	w.mu.Unlock()
	switch {
	case !w.flags.on("print-data"):
		w.say("data", "bytes", len(p), "total", total)
	case utf8.Valid(p):
		w.say("data", "bytes", len(p), "utf8", string(p))
	default:
		w.say("data", "bytes", len(p), "base64", base64.StdEncoding.EncodeToString(p))
	}
	if w.flags.on("echo") {
		if _, err := w.s.Write(p); err != nil {
			w.say("stream-error", "message", "echo: "+err.Error())
		}
	}
}

func (w *watched) ended() {
	info := w.s.Info()
	octets, sum := w.read()
	w.say("stream-end", "totalReceived", amount(info.Received), "totalSent", amount(info.Sent), "bytes", octets, "sha256", sum)
}

// read is how much was read, and its SHA-256.
func (w *watched) read() (octets int, sum string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes, hex.EncodeToString(w.hash.Sum(nil))
}

// totals are the stream's part of a close.
func (w *watched) totals() object {
	info := w.s.Info()
	octets, sum := w.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	return object{
		"id", w.s.ID(), "totalReceived", amount(info.Received), "totalSent", amount(info.Sent),
		"money_events", w.moneyEvents, "bytes", octets, "sha256", sum,
	}
}

// fill repeats a pattern for n octets.
func fill(n int, pattern string) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = pattern[i%len(pattern)]
	}
	return b
}

// writeAll writes in pieces, so that it stops soon when the stream does.
func writeAll(s engine.Stream, p []byte) error {
	for len(p) > 0 {
		n, err := s.Write(p[:min(len(p), 16<<10)])
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
