package main

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// job is one stream that we open: money and data out, money and data in.
type job struct {
	*sending
	s      engine.Stream
	w      *watched
	data   []byte
	failed string
}

func (j *job) run(ctx context.Context) {
	s, err := j.conn.OpenStream()
	if err != nil {
		j.failed = err.Error()
		return
	}
	j.s = s
	j.w = newWatched(s, j.out, object{"kind", "client", "stream", s.ID()})
	j.w.flags = flags{"print-data": ""}
	life, stop := context.WithCancel(context.Background())
	defer stop()
	j.working.Go(func() { j.w.follow(life) })
	if err := j.work(ctx); err != nil {
		j.failed = err.Error()
		// What is in flight is waited for; nothing more is sent.
		info := s.Info()
		_ = s.SetSendMax(info.Sent + info.Held)
	}
	if j.flags.text("close", "end") == "end" {
		_ = s.Close()
		select {
		case <-s.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

// work does what the flags ask for, side by side.
func (j *job) work(ctx context.Context) error {
	f := j.flags
	ctx, cancel := context.WithTimeoutCause(ctx, j.timeout, errors.New("timed out"))
	defer cancel()
	if f.on("receive") {
		if err := j.s.SetReceiveMax(stream.Amount(f.amount("receive", 0))); err != nil {
			return err
		}
	}
	switch {
	case f.on("data"):
		j.data = []byte(f["data"])
	case f.on("data-bytes"):
		j.data = fill(int(f.number("data-bytes", 0)), "abcdefghijklmnopqrstuvwxyz")
	}
	var errs [3]error
	var all sync.WaitGroup
	if len(j.data) > 0 {
		all.Go(func() { errs[0] = j.write(ctx) })
	}
	if f.on("send") {
		all.Go(func() { errs[1] = j.sendSteps(ctx) })
	}
	if f.on("receive") {
		all.Go(func() { _, errs[2] = j.s.ReceiveTotal(ctx, stream.Amount(f.amount("receive", 0))) })
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	if hold := f.ms("hold-ms", 0); hold > 0 {
		pause(ctx, hold)
	}
	return nil
}

// write writes the data; a stream that does not take it is left at the time-out.
func (j *job) write(ctx context.Context) error {
	written := make(chan error, 1)
	go func() { written <- writeAll(j.s, j.data) }()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendSteps sends all at once or, with --step, bit by bit.
func (j *job) sendSteps(ctx context.Context) error {
	total := j.flags.amount("send", 0)
	step := j.flags.amount("step", total)
	for target := min(step, total); ; target += min(step, total-target) {
		if _, err := j.s.SendTotal(ctx, stream.Amount(target)); err != nil || target == total {
			return err
		}
		pause(ctx, j.flags.ms("step-ms", 10*time.Millisecond))
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// results are the streams that we opened, as the result lists them.
func (s *sending) results() []object {
	list := make([]object, 0, len(s.jobs))
	jobs := slices.Clone(s.jobs)
	slices.SortFunc(jobs, func(a, b *job) int { return int(a.id()) - int(b.id()) })
	for _, j := range jobs {
		o := object{"id", j.id()}
		if len(j.data) > 0 {
			o = append(o, "dataSent", len(j.data), "dataSha256", digest(j.data))
		}
		if j.failed != "" {
			o = o.with("error", j.failed)
		}
		if j.w != nil {
			info := j.s.Info()
			o = append(o, "totalSent", amount(info.Sent), "totalReceived", amount(info.Received))
			o = append(o, j.receipt()...)
			o = append(o, j.w.dataReceived()...)
			if j.w.failed != "" {
				o = o.with("streamError", j.w.failed)
			}
		}
		list = append(list, o)
	}
	return list
}

// receipt is the receiver's last receipt, and what it says.
func (j *job) receipt() object {
	b := j.s.Receipt()
	r, err := receipt.Parse(b)
	if err != nil {
		return nil
	}
	o := object{
		"receipt", base64.StdEncoding.EncodeToString(b), "receiptTotalReceived", amount(r.TotalReceived),
		"receiptStreamId", r.StreamID, "receiptNonce", base64.StdEncoding.EncodeToString(r.Nonce[:]),
	}
	if j.flags.on("receipt-secret") {
		secret := [32]byte(j.flags.octets("receipt-secret"))
		_, err := stream.VerifyReceipt(b, &secret)
		o = o.with("receiptValid", err == nil)
	}
	return o
}

func (j *job) id() uint64 {
	if j.w == nil {
		return 0
	}
	return j.s.ID()
}

func (w *watched) dataReceived() object {
	octets, sum := w.read()
	o := object{"dataReceived", octets}
	if octets > 0 {
		o = o.with("dataReceivedSha256", sum)
	}
	return o
}

// acceptStreams takes the streams that the receiver opens.
func (s *sending) acceptStreams(ctx context.Context) {
	for {
		st, err := s.conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		s.out.say("stream", "kind", "server", "stream", st.ID())
		w := newWatched(st, s.out, object{"kind", "server", "stream", st.ID()})
		w.flags = flags{}
		if most := s.flags.amount("server-receive-max", maxAmount); most > 0 {
			if err := st.SetReceiveMax(stream.Amount(most)); err != nil {
				s.out.say("stream-error", "kind", "server", "stream", st.ID(), "message", err.Error())
			}
		}
		s.mu.Lock()
		s.remote = append(s.remote, w)
		s.mu.Unlock()
		s.working.Go(func() {
			w.follow(ctx)
			s.mu.Lock()
			s.ended++
			s.mu.Unlock()
			select {
			case s.changed <- struct{}{}:
			default:
			}
		})
	}
}

// awaitServerStreams waits for --server-streams of the receiver's streams to
// end, and says whether they did.
func (s *sending) awaitServerStreams(ctx context.Context) bool {
	want := int(s.flags.number("server-streams", 0))
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for {
		s.mu.Lock()
		ended := s.ended
		s.mu.Unlock()
		if ended >= want {
			return true
		}
		select {
		case <-s.changed:
		case <-s.conn.Done():
			pause(ctx, 50*time.Millisecond) // the last streams end with it
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.ended >= want
		case <-ctx.Done():
			return false
		}
	}
}

func (s *sending) remoteResults() []object {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]object, 0, len(s.remote))
	for _, w := range s.remote {
		o := object{"id", w.s.ID(), "totalReceived", amount(w.s.Info().Received)}
		list = append(list, append(o, w.dataReceived()...))
	}
	return list
}
