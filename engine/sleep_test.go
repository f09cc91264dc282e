package engine

import (
	"io"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// TestConnectionsSleepAndWakeOverSockets: whoever waits for a connection that sleeps is
// served once something comes, and whoever uses it notices nothing.
func TestConnectionsSleepAndWakeOverSockets(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		o := stream.Options{ReceiveMax: 1 << 60, SleepAfter: int64(time.Second), IdleTimeout: -1}
		ctx, out, in := dataPair(t, cfg, o, o)
		s, err := out.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		asleep := func() {
			t.Helper()
			for from := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				a, b := out.c.s.e.Stats(), in.c.s.e.Stats()
				if a.Folded == 1 && b.Folded == 1 {
					return
				}
				if time.Since(from) > patience {
					t.Fatalf("it does not sleep: %+v\n%+v", a, b)
				}
			}
		}
		if sent, err := s.SendTotal(ctx, 1000); err != nil || sent != 1000 {
			t.Fatal(sent, err)
		}
		z, err := in.AcceptStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		asleep()
		received := make(chan stream.Amount, 1)
		go func() {
			n, err := z.ReceiveTotal(ctx, 1500)
			if err != nil {
				t.Error(err)
			}
			received <- n
		}()
		text := make(chan string, 1)
		go func() {
			b := make([]byte, len("good morning"))
			if _, err := io.ReadFull(z, b); err != nil {
				t.Error(err)
			}
			text <- string(b)
		}()
		asleep() // those who wait keep nobody awake
		if info := s.Info(); info.Sent != 1000 || info.Delivered != 1000 {
			t.Errorf("%+v", info)
		}
		if sent, err := s.SendTotal(ctx, 1500); err != nil || sent != 1500 {
			t.Fatal(sent, err)
		}
		if n := <-received; n != 1500 {
			t.Errorf("%d were received", n)
		}
		if _, err := s.Write([]byte("good morning")); err != nil {
			t.Fatal(err)
		}
		if got := <-text; got != "good morning" {
			t.Errorf("%q was read", got)
		}
		asleep()
		if err := out.Close(ctx); err != nil {
			t.Fatal(err)
		}
		<-in.Done()
		if info := in.Info(); info.Received != 1500 {
			t.Errorf("%+v", info)
		}
	})
}
