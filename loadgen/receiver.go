package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// ready is what a sender must know of a receiver.
type ready struct {
	Addr        string       `json:"addr"` // host:port of the BTP listener
	Credentials []credential `json:"credentials"`
}

// credential is what one connection is opened with.
type credential struct {
	Address string `json:"address"`
	Secret  []byte `json:"secret"`
}

// receiver is the receiving end: a listener with one server that takes
// whatever comes.
type receiver struct {
	eng   *engine.Engine
	ready ready
}

// newEngine starts an engine of half of the cores, which complains to stderr.
func newEngine(s shape, stderr io.Writer) (*engine.Engine, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg := engine.Config{Loops: s.Loops, Logger: log}
	// All connections of a link are opened in one call: as many events wait.
	cfg.Machine.MaxEvents = max(1<<16, 4*s.Connections)
	eng, err := engine.New(cfg)
	if errors.Is(err, engine.ErrBackend) {
		cfg.StdNet = true
		return engine.New(cfg)
	}
	return eng, err
}

func startReceiver(s shape, stderr io.Writer) (*receiver, error) {
	eng, err := newEngine(s, stderr)
	if err != nil {
		return nil, err
	}
	r := &receiver{eng: eng}
	if err := r.listen(s); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *receiver) listen(s shape) error {
	ln, err := r.eng.ListenBTP("127.0.0.1:0", engine.ListenConfig{
		Address: "test.loadgen", AssetCode: "USD", AssetScale: 9, Open: true, Window: s.Window,
	})
	if err != nil {
		return err
	}
	srv, err := ln.Listen(engine.ServerConfig{
		Options: stream.Options{ReceiveMax: ^stream.Amount(0), IdleTimeout: -1},
		// The machine does all that a receiver has to: nothing is left to do here.
		Handler: engine.HandlerFunc(func(*engine.OnLoop, []stream.Event) {}),
	})
	if err != nil {
		return err
	}
	r.ready.Addr = ln.Addr().String()
	r.ready.Credentials = make([]credential, s.Connections)
	for i := range r.ready.Credentials {
		c, err := srv.Credentials(stream.CredentialOptions{})
		if err != nil {
			return fmt.Errorf("issue credentials: %w", err)
		}
		r.ready.Credentials[i] = credential{c.Address, c.Secret[:]}
	}
	return nil
}

func (r *receiver) sample() (sample, error) { return take(r.eng), r.eng.Err() }

func (r *receiver) stop() { closeEngine(r.eng) }

// closeEngine closes the links; what the run was for has been counted by then.
func closeEngine(eng *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = eng.Close(ctx)
}
