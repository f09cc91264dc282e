package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

const patience = 15 * time.Second

func onBackends(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Run("gnet", func(t *testing.T) {
		e, err := New(Config{Loops: 1})
		if errors.Is(err, ErrBackend) {
			t.Log("no gnet here: StdNet is all there is")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		closeEngine(t, e)
		test(t, Config{Loops: 1})
	})
	t.Run("net", func(t *testing.T) { test(t, Config{Loops: 1, StdNet: true}) })
}

func closeEngine(t testing.TB, e *Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := e.Err(); err != nil {
		t.Errorf("a shard was stopped: %v", err)
	}
}

func newEngine(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	return e
}

// world is a listener with a server, and a client's link to it.
type world struct {
	ctx    context.Context
	parent *Engine
	child  *Engine
	ln     *Listener
	srv    *Server
	link   *Link
	proxy  *cutter
}

func newWorld(t testing.TB, cfg Config, srv ServerConfig) *world {
	t.Helper()
	w := &world{proxy: newCutter(t), parent: newEngine(t, cfg), child: newEngine(t, cfg)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	w.ctx = ctx
	var err error
	w.ln, err = w.parent.ListenBTP("127.0.0.1:0", ListenConfig{
		Address: "test.parent", AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "secret", "bob": "other"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.srv, err = w.ln.Listen(srv); err != nil {
		t.Fatal(err)
	}
	w.proxy.start(w.ln.Addr().String())
	if w.link, err = w.child.DialBTP(ctx, "btp+ws://alice:secret@"+w.proxy.addr(), LinkConfig{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) connect(t testing.TB, o stream.Options) (client, server Connection) {
	t.Helper()
	creds, err := w.srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"})
	if err != nil {
		t.Fatal(err)
	}
	client, err = w.link.Connect(w.ctx, creds.Address, creds.Secret, ConnectConfig{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	server, err = w.srv.Accept(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// cutter is a TCP proxy that can cut what goes through it.
type cutter struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

func newCutter(t testing.TB) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln: ln}
	t.Cleanup(func() {
		_ = ln.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) start(to string) {
	c.to = to
	c.wg.Go(c.run)
}

func (c *cutter) addr() string { return c.ln.Addr().String() }

func (c *cutter) run() {
	for {
		in, err := c.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, in, out)
		c.mu.Unlock()
		pipe := func(dst, src net.Conn) {
			_, _ = io.Copy(dst, src)
			_ = dst.Close()
			_ = src.Close()
		}
		c.wg.Go(func() { pipe(in, out) })
		c.wg.Go(func() { pipe(out, in) })
	}
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func TestMoneyFlowsToAServer(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		w := newWorld(t, cfg, ServerConfig{Options: stream.Options{ReceiveMax: 1e6}})
		if got := w.link.Address(); got != "test.parent.alice" {
			t.Fatalf("our address is %q", got)
		}
		if code, scale := w.link.Asset(); code != "XRP" || scale != 9 {
			t.Fatalf("our asset is %s/%d", code, scale)
		}
		client, server := w.connect(t, stream.Options{MaxPacketAmount: 1000})
		if server.Tag() != "invoice-42" {
			t.Errorf("the tag is %q", server.Tag())
		}
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		if sent, err := st.SendTotal(w.ctx, 1e6); sent != 1e6 || err != nil {
			t.Fatalf("sent %d, %v", sent, err)
		}
		in, err := server.AcceptStream(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := in.ReceiveTotal(w.ctx, 1e6); got != 1e6 || err != nil {
			t.Fatalf("received %d, %v", got, err)
		}
		if i := client.Info(); i.Sent != 1e6 || i.Held != 0 || i.Delivered != 1e6 {
			t.Errorf("client: %+v", i)
		}
		if err := client.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
		<-server.Done()
		closed := (*CloseError)(nil)
		if err := server.Err(); !errors.As(err, &closed) || !errors.Is(err, ErrClosed) || !closed.Remote || closed.Code != 1 {
			t.Errorf("the server's connection ended with %v", err)
		}
		if server.Info().Received != 1e6 || in.Info().Received != 1e6 || st.Info().Sent != 1e6 {
			t.Errorf("figures are gone after the end: %+v", server.Info())
		}
		if s := w.parent.Stats(); s.Released != 1e6 || s.ReleasedPackets < 1000 || s.Loops.FramesIn == 0 {
			t.Errorf("stats: %+v", s)
		}
		if s := w.child.Stats(); s.Sent != 1e6 || s.RoundTrips.Count() < 1000 {
			t.Errorf("stats: sent %d, %d round trips", s.Sent, s.RoundTrips.Count())
		}
	})
}

func TestDataFlowsBothWays(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		w := newWorld(t, cfg, ServerConfig{})
		client, server := w.connect(t, stream.Options{})
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 700_001)
		_, _ = rand.Read(data)
		want := sha256.Sum256(data)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := st.Write(data); err != nil {
				t.Errorf("client writes: %v", err)
			}
		})
		wg.Go(func() { // the server sends back what it gets
			in, err := server.AcceptStream(w.ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.CopyN(in, in, int64(len(data))); err != nil {
				t.Errorf("echo: %v", err)
			}
			_ = in.Close()
		})
		got, err := io.ReadAll(st)
		wg.Wait()
		if err != nil || sha256.Sum256(got) != want {
			t.Fatalf("%d octets came back, %v", len(got), err)
		}
	})
}

func TestServerOpensAStreamAndPays(t *testing.T) {
	onBackends(t, func(t *testing.T, cfg Config) {
		w := newWorld(t, cfg, ServerConfig{})
		client, server := w.connect(t, stream.Options{})
		out, err := server.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan error, 1)
		go func() {
			_, err := out.SendTotal(w.ctx, 500)
			sent <- err
		}()
		if _, err := out.Write([]byte("from the server")); err != nil {
			t.Fatal(err)
		}
		in, err := client.AcceptStream(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if in.ID()%2 != 0 {
			t.Errorf("a server's stream has id %d", in.ID())
		}
		if got, err := in.ReceiveTotal(w.ctx, 500); got != 500 || err != nil {
			t.Fatalf("received %d, %v", got, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(in); string(b) != "from the server" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	})
}

func TestReceiveMaximumIsRaisedLater(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	client, server := w.connect(t, stream.Options{})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetSendMax(100); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	in, err := server.AcceptStream(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	if sent, err := st.SendTotal(short, 100); sent != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("sent %d before anything was allowed, %v", sent, err)
	}
	for _, limit := range []stream.Amount{40, 100} {
		if got, err := in.ReceiveTotal(w.ctx, limit); got != limit || err != nil {
			t.Fatalf("received %d, %v", got, err)
		}
	}
	if err := in.SetReceiveMax(99); !errors.Is(err, stream.ErrMaximum) {
		t.Errorf("a maximum falls: %v", err)
	}
	if sent, err := st.SendTotal(w.ctx, 100); sent != 100 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
}

func TestWrongSecretFails(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	creds, err := w.srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	creds.Secret[0] ^= 1
	_, err = w.link.Connect(w.ctx, creds.Address, creds.Secret, ConnectConfig{})
	closed := (*CloseError)(nil)
	if !errors.As(err, &closed) || closed.Code == 1 {
		t.Fatalf("Connect: %v", err)
	}
}

func TestWrongTokenIsRefused(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	_, err := w.child.DialBTP(w.ctx, "btp+ws://alice:wrong@"+w.ln.Addr().String(), LinkConfig{})
	if err == nil || strings.Contains(err.Error(), "wrong@") {
		t.Fatalf("Dial: %v", err)
	}
	if _, err := w.child.DialBTP(w.ctx, "btp+wss://alice:secret@localhost", LinkConfig{}); !errors.Is(err, ErrWSS) {
		t.Errorf("btp+wss: %v", err)
	}
}

func TestDataOfAClosedConnectionCanStillBeRead(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	client, server := w.connect(t, stream.Options{})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("millrace"), 4000)
	if _, err := st.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	<-server.Done()
	in, err := server.AcceptStream(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(in); !bytes.Equal(got, data) || err != nil {
		t.Fatalf("read %d octets, %v", len(got), err)
	}
	if _, err := server.AcceptStream(w.ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("AcceptStream: %v", err)
	}
	if _, err := st.Write([]byte("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("Write: %v", err)
	}
}
