package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// ready is what a sender must know of a receiver. It makes the credentials itself.
type ready struct {
	Addr    string `json:"addr"`    // host:port of the BTP listener
	Address string `json:"address"` // ILP address of the server
	Secret  []byte `json:"secret"`  // of the server
}

// receiverAddress is the receiver's ILP address.
const receiverAddress = "test.loadgen"

// receiver is the receiving end: a listener with one server that takes
// whatever comes.
type receiver struct {
	eng   *engine.Engine
	ready ready
	sink  *sink // of -data
}

// newEngine starts an engine of half of the cores, on these processors if there are any,
// which complains to stderr.
func newEngine(s shape, cpus []int, stderr io.Writer) (*engine.Engine, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg := engine.Config{Loops: s.Loops, CPUs: cpus, Logger: log}
	cfg.Machine.MaxConnections = max(1<<20, s.Connections+s.Connections/8)
	cfg.Machine.MaxStreams = 2 * cfg.Machine.MaxConnections
	if s.Reserve {
		cfg.Reserve = s.Connections
	}
	eng, err := engine.New(cfg)
	if errors.Is(err, engine.ErrBackend) {
		cfg.StdNet, cfg.CPUs = true, nil
		return engine.New(cfg)
	}
	if err != nil && len(cpus) > 0 {
		err = fmt.Errorf("%w (-pin=false leaves the loops to the system)", err)
	}
	return eng, err
}

func startReceiver(s shape, stderr io.Writer) (*receiver, error) {
	eng, err := newEngine(s, s.receiverCPUs(), stderr)
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
		Address: receiverAddress, AssetCode: "USD", AssetScale: 9, Open: true, Window: s.Window,
	})
	if err != nil {
		return err
	}
	options := stream.Options{ReceiveMax: ^stream.Amount(0), IdleTimeout: -1, SleepAfter: int64(s.Sleep), NoMoneyEvents: true}
	// Of money the machine does all that a receiver has to: nothing is left to do.
	var handler engine.Handler = engine.HandlerFunc(func(*engine.OnLoop, []stream.Event) {})
	if s.Data > 0 {
		r.sink = newSink(s.Loops)
		handler = r.sink
		options.MaxStreamWindow, options.ConnectionWindow = dataWindow(s.Connections), dataWindow(s.Connections)
	}
	r.ready = ready{Addr: ln.Addr().String(), Address: receiverAddress, Secret: make([]byte, 32)}
	_, _ = rand.Read(r.ready.Secret) // never fails
	_, err = ln.Listen(engine.ServerConfig{
		Secret:  r.ready.Secret,
		Options: options,
		Handler: handler,
	})
	return err
}

func (r *receiver) sample() (sample, error) {
	s := take(r.eng)
	if r.sink != nil {
		s.Octets, s.LastAt = r.sink.octets.Load(), time.Unix(0, r.sink.lastAt.Load())
		if why := r.sink.wrong.Load(); why != nil {
			s.Wrong = *why
		}
	}
	return s, r.eng.Err()
}

func (r *receiver) settled() (uint64, error) { return settle(), nil }

func (r *receiver) startProfile() error { return nil }

func (r *receiver) stopProfile() ([]byte, error) { return nil, nil }

func (r *receiver) stop() { closeEngine(r.eng) }

// closeEngine closes the links; what the run was for has been counted by then.
func closeEngine(eng *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = eng.Close(ctx)
}
