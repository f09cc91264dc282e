package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func TestMoneyAgreesAfterTheSocketWasCut(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		cfg.Machine.ExpiryMargin = 2e8
		w := newWorld(t, cfg, ServerConfig{Options: stream.Options{ReceiveMax: 1e9}})
		client, server := w.connect(t, stream.Options{MaxPacketAmount: 1000, Expiry: 1e9, MaxInFlight: 64})
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		const total = 3e7 // 30,000 packets
		if err := st.SetSendMax(total); err != nil {
			t.Fatal(err)
		}
		in, err := server.AcceptStream(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.ReceiveTotal(w.ctx, 1000); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 300_000)
		_, _ = rand.Read(data)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := st.Write(data); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
		got := make([]byte, len(data))
		wg.Go(func() {
			if _, err := io.ReadFull(in, got); err != nil {
				t.Errorf("Read: %v", err)
			}
		})
		w.proxy.cut()
		sent, err := st.SendTotal(w.ctx, total)
		if sent != total || err != nil {
			t.Fatalf("sent %d, %v\n%+v", sent, err, st.Info())
		}
		wg.Wait()
		if !bytes.Equal(got, data) {
			t.Error("the data is not what was written")
		}
		// What was in flight at the cut may have arrived without our hearing of it;
		// the receiver's totals told.
		if err := client.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
		<-server.Done()
		received := server.Info().Received
		if received != total {
			t.Fatalf("sent %d, received %d", sent, received)
		}
		if s := w.child.Stats(); s.InFlight != 0 && s.Unknown == 0 {
			t.Errorf("%d requests are left in flight", s.InFlight)
		}
	})
}

// recorder passes packets on, and keeps the prepares.
type recorder struct {
	to       atomic.Pointer[Link]
	prepares chan Packet
	answers  chan Packet
}

func (r *recorder) Send(packets []Packet) error {
	for i := range packets {
		p := Packet{packets[i].Kind, packets[i].ID, slices.Clone(packets[i].Data)}
		into := r.answers
		if p.Kind == stream.Prepare {
			into = r.prepares
		}
		select {
		case into <- p:
		default:
		}
	}
	if to := r.to.Load(); to != nil {
		to.Deliver(packets)
	}
	return nil
}

func newRecorder() *recorder {
	return &recorder{prepares: make(chan Packet, 4096), answers: make(chan Packet, 4096)}
}

func TestPacketOnTwoLinksOfTwoLoopsIsCreditedOnce(t *testing.T) {
	receiver := newEngine(t, Config{Loops: 2})
	sender := newEngine(t, Config{Loops: 1})
	secret := make([]byte, 32)
	out, back, back2 := newRecorder(), newRecorder(), newRecorder()
	attach := func(e *Engine, r *recorder, cfg AttachConfig) *Link {
		l, err := e.Attach(r, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	from := attach(sender, out, AttachConfig{Address: "test.parent"})
	first := attach(receiver, back, AttachConfig{Address: "test.parent.bob", Loop: 1, Account: "parent"})
	second := attach(receiver, back2, AttachConfig{Address: "test.parent.bob", Loop: 2, Account: "parent"})
	out.to.Store(first)
	back.to.Store(from)
	srv, err := first.Listen(ServerConfig{Secret: secret, Options: stream.Options{ReceiveMax: 1e6}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Listen(ServerConfig{Secret: secret, Options: stream.Options{ReceiveMax: 1e6}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	creds, err := srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := from.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{Options: stream.Options{RateNum: 1, RateDen: 1, MaxPacketAmount: 100}})
	if err != nil {
		t.Fatal(err)
	}
	st, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if sent, err := st.SendTotal(ctx, 1000); sent != 1000 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	// Everything once more, over the other link.
	again := 0
	for len(out.prepares) > 0 {
		second.Deliver([]Packet{<-out.prepares})
		again++
	}
	for range again {
		select {
		case p := <-back2.answers:
			if p.Kind != stream.Reject {
				t.Errorf("a packet that was seen before is answered with kind %d", p.Kind)
			} else if r, err := ilp.ParseReject(p.Data); err != nil || r.Code() != ilp.F99 {
				t.Errorf("a packet that was seen before is rejected with %v, %v", r.Code(), err)
			}
		case <-ctx.Done():
			t.Fatal("no answer over the second link")
		}
	}
	if s := receiver.Stats(); again < 10 || s.Released != 1000 || s.Replayed != uint64(again) {
		t.Errorf("%d packets came again: released %d, replayed %d", again, s.Released, s.Replayed)
	}
}

func TestPipeJoinsTwoEngines(t *testing.T) {
	a, b := newEngine(t, Config{Loops: 1}), newEngine(t, Config{Loops: 2})
	left, right, err := Pipe(a, AttachConfig{Address: "test.a", AssetCode: "EUR", AssetScale: 2, Child: "test.a.b"}, b, AttachConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if code, scale := right.Asset(); right.Address() != "test.a.b" || code != "EUR" || scale != 2 {
		t.Fatalf("the child was told %s, %s/%d", right.Address(), code, scale)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := right.Listen(ServerConfig{Options: stream.Options{ReceiveMax: 1e6}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := right.Listen(ServerConfig{}); !errors.Is(err, ErrListening) {
		t.Errorf("a second server: %v", err)
	}
	creds, err := srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := left.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := conn.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if sent, err := st.SendTotal(ctx, 12345); sent != 12345 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	if err := srv.Close(ctx); err != nil {
		t.Fatal(err)
	}
	<-conn.Done()
	if _, err := srv.Accept(ctx); err != nil {
		t.Errorf("a connection that waits is gone with its server: %v", err)
	}
	if _, err := srv.Accept(ctx); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Accept: %v", err)
	}
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := left.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{}); !errors.Is(err, ErrLinkClosed) {
		t.Errorf("Connect on a closed link: %v", err)
	}
}

func TestHandlersOnTheLoop(t *testing.T) {
	const connections, each = 300, 1000
	var received, accepted, closed atomic.Uint64
	server := HandlerFunc(func(lp *OnLoop, events []stream.Event) {
		for i := range events {
			switch e := &events[i]; e.Kind {
			case stream.EventAccepted:
				accepted.Add(1)
			case stream.EventStreamOpened:
				if err := lp.Machine().SetReceiveMax(lp.Now(), e.Stream, each); err != nil {
					t.Error(err)
				}
			case stream.EventMoneyReceived:
				received.Add(uint64(e.Amount))
			}
		}
	})
	done := make(chan struct{})
	client := HandlerFunc(func(lp *OnLoop, events []stream.Event) {
		for i := range events {
			switch e := &events[i]; e.Kind {
			case stream.EventConnected:
				st, err := lp.Machine().OpenStream(lp.Now(), e.Conn)
				if err == nil {
					err = lp.Machine().SetSendMax(lp.Now(), st, each)
				}
				if err != nil {
					t.Error(err)
				}
			case stream.EventTotalSent:
				_ = lp.Machine().CloseConn(lp.Now(), e.Conn)
			case stream.EventClosed:
				if closed.Add(1) == connections {
					close(done)
				}
			}
		}
	})
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Handler: server})
	if err := w.link.ConnectOnLoop(connections, func(i int) (string, [32]byte) {
		creds, err := w.srv.Credentials(stream.CredentialOptions{Tag: fmt.Sprint(i)})
		if err != nil {
			t.Error(err)
		}
		return creds.Address, creds.Secret
	}, ConnectConfig{Handler: client, Options: stream.Options{RateNum: 1, RateDen: 1}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-w.ctx.Done():
		t.Fatalf("%d of %d connections have ended, %d received", closed.Load(), connections, received.Load())
	}
	if err := w.srv.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if accepted.Load() != connections || received.Load() != connections*each {
		t.Errorf("%d connections, %d received", accepted.Load(), received.Load())
	}
	if s := w.child.Stats(); s.Connections != 0 || s.Streams != 0 {
		t.Errorf("%d connections and %d streams are left", s.Connections, s.Streams)
	}
}

func TestEngineClosesWhileCallsWait(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	client, server := w.connect(t, stream.Options{})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 2)
	go func() {
		_, err := st.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		_, err := server.AcceptStream(context.Background())
		errs <- err
	}()
	time.Sleep(10 * time.Millisecond)
	closeEngine(t, w.child)
	closeEngine(t, w.parent)
	for range 2 {
		if err := <-errs; err == nil || !errors.Is(err, ErrClosed) && !errors.Is(err, ErrEngineClosed) && !errors.Is(err, io.EOF) {
			t.Errorf("a call that waited: %v", err)
		}
	}
	if _, err := client.OpenStream(); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrEngineClosed) {
		t.Errorf("OpenStream: %v", err)
	}
	if err := w.link.Do(func(*OnLoop) {}); !errors.Is(err, ErrEngineClosed) {
		t.Errorf("Do: %v", err)
	}
}
