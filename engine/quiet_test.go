package engine

import (
	"errors"
	"testing"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// TestCallsThatWaitForMoneyNeedItsEvents: without them they would wait for ever.
func TestCallsThatWaitForMoneyNeedItsEvents(t *testing.T) {
	e, err := New(Config{Loops: 1, StdNet: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(t.Context()) }()
	ln, err := e.ListenBTP("127.0.0.1:0", ListenConfig{Address: "test.quiet", AssetCode: "USD", Open: true})
	if err != nil {
		t.Fatal(err)
	}
	quiet := stream.Options{NoMoneyEvents: true}
	if _, err := ln.Listen(ServerConfig{Options: quiet}); !errors.Is(err, ErrConfig) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := ln.Listen(ServerConfig{Options: quiet, Handler: HandlerFunc(func(*OnLoop, []stream.Event) {})}); err != nil {
		t.Errorf("Listen with a Handler: %v", err)
	}
}

// TestCallsThatWaitForMoneyDoWithoutTotalEvents: EventMoneySent says enough.
func TestCallsThatWaitForMoneyDoWithoutTotalEvents(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Options: stream.Options{ReceiveMax: 1e9, NoTotalEvents: true}})
	client, _ := w.connect(t, stream.Options{MaxPacketAmount: 100, NoTotalEvents: true})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	for _, total := range []stream.Amount{1, 5000} {
		if sent, err := st.SendTotal(w.ctx, total); err != nil || sent != total {
			t.Fatalf("sent %d of %d: %v", sent, total, err)
		}
	}
}
