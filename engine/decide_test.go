package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// payInto opens a stream and sends an amount in packets of 100.
func (w *world) payInto(t *testing.T, amount stream.Amount) (client, server Connection, st Stream, sent stream.Amount, err error) {
	t.Helper()
	client, server = w.connect(t, stream.Options{MaxPacketAmount: 100})
	st, err = client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Second)
	defer cancel()
	sent, err = st.SendTotal(ctx, amount)
	return client, server, st, sent, err
}

func TestShouldFulfillDecidesAboutEveryPacket(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		var mu sync.Mutex
		asked, ids := stream.Amount(0), map[[32]byte]bool{}
		declined := 0
		w := newWorld(t, cfg, ServerConfig{
			Options: stream.Options{ReceiveMax: 1 << 40},
			ShouldFulfill: func(_ context.Context, in Incoming) error {
				mu.Lock()
				defer mu.Unlock()
				if ids[in.PacketID] {
					t.Error("a packet id came twice")
				}
				ids[in.PacketID] = true
				if len(ids)%3 == 0 {
					declined++
					return errors.New("not this one")
				}
				asked += in.Amount
				return nil
			},
		})
		_, server, _, sent, err := w.payInto(t, 1000)
		if err != nil || sent != 1000 {
			t.Fatalf("sent %d, %v", sent, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if info := server.Info(); info.Received != 1000 || asked != 1000 || declined == 0 {
			t.Fatalf("received %d, accepted %d, declined %d times", info.Received, asked, declined)
		}
	})
}

func TestRefusedMoneyClosesTheStreamWithTheReason(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{
		Options:       stream.Options{ReceiveMax: 1 << 40},
		ShouldFulfill: func(context.Context, Incoming) error { return &RefuseError{"we do not know you"} },
	})
	_, server, _, sent, err := w.payInto(t, 1000)
	var closed *CloseError
	if !errors.As(err, &closed) || sent != 0 || closed.Code != frame.ApplicationError || !closed.Remote || closed.Message != "we do not know you" {
		t.Fatalf("sent %d, %v", sent, err)
	}
	if info := server.Info(); info.Received != 0 {
		t.Fatalf("received %d", info.Received)
	}
}

func TestShouldFulfillThatPanicsOrSleepsCreditsNothing(t *testing.T) {
	for name, should := range map[string]ShouldFulfill{
		"panics": func(context.Context, Incoming) error { panic("oops") },
		"sleeps": func(ctx context.Context, _ Incoming) error { <-ctx.Done(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{Loops: 1}, ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}, ShouldFulfill: should})
			_, server, _, sent, err := w.payInto(t, 100)
			if !errors.Is(err, context.DeadlineExceeded) || sent != 0 || server.Info().Received != 0 {
				t.Fatalf("sent %d, received %d, %v", sent, server.Info().Received, err)
			}
		})
	}
}

// book is a ledger in memory.
type book struct {
	mu      sync.Mutex
	credits map[[16]byte]stream.Amount
	batches int
	fail    error
	slow    time.Duration
}

func (b *book) Commit(_ int, credits []stream.Credit) error {
	time.Sleep(b.slow)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.batches++
	for _, c := range credits {
		if c.Void {
			b.credits[c.ConnID] -= c.Amount
		} else {
			b.credits[c.ConnID] += c.Amount
		}
	}
	return nil
}

func (b *book) total() (n stream.Amount) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.credits {
		n += a
	}
	return n
}

func TestMoneyIsInTheLedgerBeforeItIsFulfilled(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		b := &book{credits: map[[16]byte]stream.Amount{}, slow: 5 * time.Millisecond}
		cfg.Ledger = b
		w := newWorld(t, cfg, ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}})
		client, server := w.connect(t, stream.Options{MaxPacketAmount: 100})
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		for total := stream.Amount(1000); total <= 5000; total += 1000 {
			if _, err := st.SendTotal(w.ctx, total); err != nil {
				t.Fatal(err)
			}
			if have := b.total(); have < total {
				t.Fatalf("%d are sent and %d in the ledger", total, have)
			}
		}
		if b.total() != 5000 || server.Info().Received != 5000 || b.batches == 0 {
			t.Fatalf("%d in the ledger, %d received", b.total(), server.Info().Received)
		}
	})
}

func TestLedgerThatFailsStopsTheShardAndReleasesNothing(t *testing.T) {
	broken := errors.New("disk is gone")
	b := &book{credits: map[[16]byte]stream.Amount{}, fail: broken}
	parent, err := New(Config{Loops: 1, Ledger: b})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{parent: parent, child: newEngine(t, Config{Loops: 1}), proxy: newCutter(t)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() { _ = parent.Close(ctx) }()
	w.ctx = ctx
	if w.ln, err = parent.ListenBTP("127.0.0.1:0", ListenConfig{Address: "test.parent", AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "secret"}}); err != nil {
		t.Fatal(err)
	}
	if w.srv, err = w.ln.Listen(ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}}); err != nil {
		t.Fatal(err)
	}
	w.proxy.start(w.ln.Addr().String())
	if w.link, err = w.child.DialBTP(ctx, "btp+ws://alice:secret@"+w.proxy.addr(), LinkConfig{}); err != nil {
		t.Fatal(err)
	}
	_, _, _, sent, err := w.payInto(t, 1000)
	if err == nil || sent != 0 {
		t.Fatalf("sent %d, %v", sent, err)
	}
	if !errors.Is(parent.Err(), broken) {
		t.Fatalf("Err is %v", parent.Err())
	}
}

func TestReceiptsReachTheSender(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}})
	secret := [32]byte{7}
	creds, err := w.srv.Credentials(stream.CredentialOptions{ReceiptNonce: make([]byte, 16), ReceiptSecret: secret[:]})
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
	if st.Receipt() != nil {
		t.Error("a receipt for nothing")
	}
	if _, err := st.SendTotal(w.ctx, 777); err != nil {
		t.Fatal(err)
	}
	if r, err := stream.VerifyReceipt(st.Receipt(), &secret); err != nil || r.TotalReceived != 777 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestDeliverTotalAndUndeliverableAmounts(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}})
	client, _ := w.connect(t, stream.Options{})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := st.DeliverTotal(w.ctx, 500, 10_000); err != nil || got != 500 || st.Info().Sent != 500 {
		t.Fatalf("delivered %d of %d, %v", got, st.Info().Sent, err)
	}
	if err := st.Destroy(frame.ApplicationError, "done"); err != nil {
		t.Fatal(err)
	}
	<-st.Done()
	creds, err := w.srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slow, err := w.link.Connect(w.ctx, creds.Address, creds.Secret, ConnectConfig{Options: stream.Options{RateNum: 1, RateDen: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	if st, err = slow.OpenStream(); err != nil {
		t.Fatal(err)
	}
	_, err = st.SendTotal(w.ctx, 999)
	var none *UndeliverableError
	if !errors.As(err, &none) || none.Least != 1000 {
		t.Fatalf("%v", err)
	}
}
