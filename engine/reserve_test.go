package engine

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// manyConnections opens so many from the second loop of an engine to its first, and
// counts those that the first has seen closed in order.
func manyConnections(t *testing.T, cfg Config, n int) (ctx context.Context, e *Engine, out *Link, closed *atomic.Int64) {
	t.Helper()
	cfg.Loops, cfg.StdNet = 2, true
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	in, out, err := Pipe(e, AttachConfig{Address: "test.a", Child: "test.a.b", Loop: 1}, e, AttachConfig{Loop: 2})
	if err != nil {
		t.Fatal(err)
	}
	closed = new(atomic.Int64)
	srv, err := in.Listen(ServerConfig{Handler: HandlerFunc(func(_ *OnLoop, events []stream.Event) {
		for i := range events {
			if events[i].Kind == stream.EventClosed && events[i].Code == frame.NoError {
				closed.Add(1)
			}
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		creds, err := srv.Credentials(stream.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	return ctx, e, out, closed
}

// TestManyConnectionsAreClosedInOrder: all of them, some at a time, without waiting for
// the end of what they are given.
func TestManyConnectionsAreClosedInOrder(t *testing.T) {
	const n = 3 << ownerShift
	ctx, e, _, closed := manyConnections(t, Config{Reserve: 500}, n) // and more than that
	began := time.Now()
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(began); closed.Load() != n || took >= closingTime {
		t.Errorf("%d of %d connections were closed in %v", closed.Load(), n, took)
	}
}

func TestSomeConnectionsAreClosedInATurn(t *testing.T) {
	const n = 3 << ownerShift
	ctx, e, out, _ := manyConnections(t, Config{}, n)
	s := e.shards[1]
	turns := 0
	for more := true; more; {
		if err := out.Do(func(*OnLoop) { more = s.closeConnections(turns) }); err != nil {
			t.Fatal(err)
		}
		turns++
		if left := int(s.live.Load()); left < n-turns<<ownerShift {
			t.Fatalf("%d connections are left after %d turns", left, turns)
		}
	}
	if turns < 3 {
		t.Errorf("%d turns", turns)
	}
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestCloseHeedsItsContext: however many connections there are, and however busy their
// loop.
func TestCloseHeedsItsContext(t *testing.T) {
	const n, turn = 20 << ownerShift, 100 * time.Millisecond
	_, e, out, _ := manyConnections(t, Config{}, n)
	var again func(*OnLoop)
	again = func(lp *OnLoop) {
		time.Sleep(turn)
		lp.Later(again)
	}
	if err := out.Do(again); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	_ = e.Close(ctx)
	if took := time.Since(began); took > 10*turn {
		t.Errorf("it took %v", took)
	}
}

func TestReserveHasBounds(t *testing.T) {
	for _, c := range []Config{
		{Loops: 1, Reserve: -1},
		{Loops: 1, Reserve: stream.DefaultMaxConnections + 1},
		{Loops: 3, Reserve: 301, Machine: stream.Config{MaxConnections: 100}},
	} {
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestBoundsOfReserveFitAnInt: also where an int has 32 bits.
func TestBoundsOfReserveFitAnInt(t *testing.T) {
	c := Config{Loops: 1024, Machine: stream.Config{MaxConnections: 3 << 20}}
	if err := c.fill(); err != nil {
		t.Error(err)
	}
	c.Reserve = math.MaxInt
	if err := c.fill(); math.MaxInt>>32 != 0 && !errors.Is(err, ErrConfig) {
		t.Errorf("%d: %v", c.Reserve, err)
	}
}
