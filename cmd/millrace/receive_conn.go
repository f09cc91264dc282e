package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// settleFor is how long a client may take to open its first stream before we
// open one of our own.
const settleFor = 300 * time.Millisecond

// accepted is one connection of a receiver and its streams.
type accepted struct {
	*receiving
	conn   engine.Connection
	number int

	first   chan struct{} // closed when the client has opened a stream
	mu      sync.Mutex
	streams []*watched
	working sync.WaitGroup
}

// take serves a new connection until it is over, or the command is.
func (r *receiving) take(conn engine.Connection) {
	r.count++
	a := &accepted{receiving: r, conn: conn, number: r.count, first: make(chan struct{})}
	info := conn.Info()
	line := object{"connection", a.number}.maybe("connectionTag", conn.Tag()).maybe("destinationAccount", string(info.Peer))
	r.out.say("connection", line...)
	r.serving.Go(a.serve)
}

func (a *accepted) serve() {
	f := a.flags
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.working.Go(func() { a.connected(ctx) })
	a.working.Go(func() { a.acceptStreams(ctx) })
	if d := f.ms("destroy-after", 0); d > 0 {
		defer time.AfterFunc(d, func() { _ = a.conn.Destroy(frame.InternalError, "server destroyed it") }).Stop()
	}
	if d := f.ms("end-after", 0); d > 0 {
		defer time.AfterFunc(d, func() { _ = a.conn.Close(ctx) }).Stop()
	}

	select {
	case <-a.conn.Done():
		cancel()
		a.working.Wait()
		if why := badEnd(a.conn.Err()); why != "" {
			a.out.say("error", "connection", a.number, "message", why)
		} else {
			a.out.say("end", "connection", a.number)
		}
	case <-a.stopped:
		cancel()
	}
	a.report()
	if f.on("exit-on-close") {
		a.enough()
	}
}

// badEnd is why something ended, or nothing if it ended in order.
func badEnd(err error) string {
	var closed *engine.CloseError
	if err == nil || errors.As(err, &closed) && closed.Code == frame.NoError {
		return ""
	}
	if closed != nil && closed.Message != "" {
		return closed.Message
	}
	return err.Error()
}

// connected waits until the peer has said where it is, and opens a stream of
// our own then.
func (a *accepted) connected(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !a.conn.Info().CanSend {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	a.out.say("connect", "connection", a.number, "destinationAccount", string(a.conn.Info().Peer))
	f := a.flags
	if !f.on("server-stream") && !f.on("server-data") {
		return
	}
	// The reference client hears only of streams that are opened once its own
	// look for the rate is over. Its first stream tells that it is.
	select {
	case <-a.first:
	case <-time.After(settleFor):
	case <-ctx.Done():
		return
	}
	s, err := a.conn.OpenStream()
	if err != nil {
		a.out.say("error", "connection", a.number, "message", err.Error())
		return
	}
	w := a.watch(ctx, s)
	var sending sync.WaitGroup
	if n := f.number("server-data", 0); n > 0 {
		sending.Go(func() {
			if err := writeAll(s, fill(int(n), "S")); err != nil && ctx.Err() == nil {
				w.say("send-error", "message", err.Error())
			}
		})
	}
	if f.on("server-stream") {
		sending.Go(func() { w.send(ctx, stream.Amount(f.amount("server-stream", 0))) })
	}
	sending.Wait()
	_ = s.Close()
}

func (a *accepted) acceptStreams(ctx context.Context) {
	f := a.flags
	for n := 0; ; n++ {
		s, err := a.conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		if n == 0 {
			close(a.first)
		}
		a.out.say("stream", "connection", a.number, "stream", s.ID())
		w := a.watch(ctx, s)
		if f.on("raise-by") {
			a.working.Go(func() { w.raise(ctx) })
		}
		if f.on("send-back") {
			a.working.Go(func() { w.send(ctx, stream.Amount(f.amount("send-back", 0))) })
		}
	}
}

// watch reports what arrives on a stream.
func (a *accepted) watch(ctx context.Context, s engine.Stream) *watched {
	w := newWatched(s, a.out, object{"connection", a.number, "stream", s.ID()})
	w.flags = a.flags
	a.mu.Lock()
	a.streams = append(a.streams, w)
	a.mu.Unlock()
	a.working.Go(func() { w.follow(ctx) })
	return w
}

// report prints the totals of the connection.
func (a *accepted) report() {
	info := a.conn.Info()
	a.add(info.Received, info.Sent)
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.streams, func(x, y *watched) int { return int(x.s.ID()) - int(y.s.ID()) })
	streams := make([]object, 0, len(a.streams))
	for _, w := range a.streams {
		streams = append(streams, w.totals())
	}
	line := object{"connection", a.number}.maybe("connectionTag", a.conn.Tag())
	a.out.say("close", append(line,
		"totalReceived", amount(info.Received), "totalSent", amount(info.Sent), "totalDelivered", amount(info.Delivered), "streams", streams)...)
}

// add counts what a connection has moved.
func (r *receiving) add(received, sent stream.Amount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received += received
	r.sent += sent
}

// raise lets the stream take more, step by step.
func (w *watched) raise(ctx context.Context) {
	f := w.flags
	most, step := f.amount("receive-max", 0), f.amount("raise-by", 0)
	tick := time.NewTicker(max(f.ms("raise-ms", 100*time.Millisecond), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if most += step; most < step {
				most = maxAmount
			}
			if err := w.s.SetReceiveMax(stream.Amount(most)); err != nil {
				return
			}
		case <-w.s.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// send sends a total on the stream and reports it.
func (w *watched) send(ctx context.Context, total stream.Amount) {
	sent, err := w.s.SendTotal(ctx, total)
	if sent > 0 {
		w.say("outgoing_money", "amount", amount(sent), "totalSent", amount(sent))
	}
	if err != nil && ctx.Err() == nil {
		w.say("send-error", "message", err.Error())
	}
}
