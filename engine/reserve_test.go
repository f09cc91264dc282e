package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// TestEngineOfManyConnections has memory made ready for some, opens more, and closes them
// all, some at a time.
func TestEngineOfManyConnections(t *testing.T) {
	const reserved, connections = 1000, 1500
	e, err := New(Config{Loops: 2, Reserve: reserved, StdNet: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, right, err := Pipe(e, AttachConfig{Address: "test.a", Child: "test.a.b", Loop: 1}, e, AttachConfig{Loop: 2})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := left.Listen(ServerConfig{Handler: HandlerFunc(func(*OnLoop, []stream.Event) {})})
	if err != nil {
		t.Fatal(err)
	}
	for range connections {
		creds, err := srv.Credentials(stream.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := right.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	s := e.shards[1]
	turns := 0
	for more := true; more; {
		if err := right.Do(func(*OnLoop) { more = s.closeConnections(turns) }); err != nil {
			t.Fatal(err)
		}
		turns++
		if n := int(s.live.Load()); n < connections-turns<<ownerShift {
			t.Fatalf("%d connections are left after %d turns", n, turns)
		}
	}
	if turns <= connections>>ownerShift {
		t.Errorf("%d turns", turns)
	}
	for s.live.Load() > 0 {
		if ctx.Err() != nil {
			t.Fatalf("%d connections were not closed", s.live.Load())
		}
		time.Sleep(time.Millisecond)
	}
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestReserveHasBounds(t *testing.T) {
	for _, n := range []int{-1, maxReserve + 1} {
		if _, err := New(Config{Loops: 1, Reserve: n}); !errors.Is(err, ErrConfig) {
			t.Errorf("%d: %v", n, err)
		}
	}
}
