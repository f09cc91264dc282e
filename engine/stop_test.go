package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

func TestBrokenInvariantStopsItsShard(t *testing.T) {
	e, err := New(Config{Loops: 2})
	if errors.Is(err, ErrBackend) {
		e, err = New(Config{Loops: 2, StdNet: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, right, err := Pipe(e, AttachConfig{Address: "test.a", Child: "test.a.b", Loop: 1}, e, AttachConfig{Loop: 2})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := left.Listen(ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := right.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{}); err != nil {
		t.Fatal(err)
	}
	conn, err := srv.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error, 1)
	go func() {
		_, err := conn.AcceptStream(ctx)
		waits <- err
	}()
	time.Sleep(time.Millisecond)
	if err := left.Do(func(*OnLoop) { panic("stream: two and two are five") }); !errors.Is(err, ErrEngineClosed) {
		t.Errorf("the call that broke it: %v", err)
	}
	if err := <-waits; !errors.Is(err, ErrEngineClosed) {
		t.Errorf("a call that waited: %v", err)
	}
	if err := e.Err(); err == nil || !strings.Contains(err.Error(), "two and two are five") {
		t.Errorf("Err: %v", err)
	}
	if err := left.Do(func(*OnLoop) {}); !errors.Is(err, ErrEngineClosed) {
		t.Errorf("a later call: %v", err)
	}
	if err := right.Do(func(*OnLoop) {}); err != nil {
		t.Errorf("the other shard: %v", err)
	}
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A panic inside the machine leaves it half changed, whoever called it.
func TestPanicInTheMachineStopsTheShardOfAHandler(t *testing.T) {
	e, err := New(Config{Loops: 1, StdNet: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, right, err := Pipe(e, AttachConfig{Address: "test.a", Child: "test.a.b"}, e, AttachConfig{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := left.Listen(ServerConfig{Handler: HandlerFunc(func(*OnLoop, []stream.Event) {
		var none *stream.Machine
		none.Stats()
	})})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := right.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{}); !errors.Is(err, ErrEngineClosed) {
		t.Errorf("Connect: %v", err)
	}
	if err := e.Err(); err == nil || !strings.Contains(err.Error(), "nil pointer") {
		t.Errorf("Err: %v", err)
	}
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A panic with an error of the machine's is still the Handler's own: a peer can bring it
// about, by closing a stream in time.
func TestPanicWithAnErrorOfTheMachineStopsNoShard(t *testing.T) {
	told := make(chan struct{})
	bad := HandlerFunc(func(lp *OnLoop, events []stream.Event) {
		for _, e := range events {
			if e.Kind != stream.EventStreamClosed {
				continue
			}
			if _, err := lp.Machine().Write(lp.Now(), e.Stream, []byte("bye")); err != nil {
				close(told)
				panic(err)
			}
		}
	})
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Handler: bad})
	creds, err := w.srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := w.link.Connect(w.ctx, creds.Address, creds.Secret, ConnectConfig{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = st.Close()
	select {
	case <-told:
	case <-w.ctx.Done():
		t.Fatal("the Handler never panicked")
	}
	select {
	case <-conn.Done():
	case <-w.ctx.Done():
		t.Fatal("the connection lives on")
	}
	if err := w.parent.Err(); err != nil {
		t.Errorf("the shard was stopped: %v", err)
	}
}

func TestPanicOfAHandlerCostsItsConnections(t *testing.T) {
	bad := HandlerFunc(func(_ *OnLoop, events []stream.Event) {
		if events[0].Kind == stream.EventAccepted {
			panic("a mistake")
		}
	})
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Handler: bad})
	creds, err := w.srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := w.link.Connect(w.ctx, creds.Address, creds.Secret, ConnectConfig{})
	if err == nil {
		select {
		case <-conn.Done():
		case <-w.ctx.Done():
			t.Fatal("the connection lives on")
		}
	} else if !errors.Is(err, ErrClosed) {
		t.Errorf("Connect: %v", err)
	}
	if err := w.parent.Err(); err != nil {
		t.Errorf("the shard was stopped: %v", err)
	}
}
