package engine

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// octetCutter is a TCP proxy that passes on so many octets of its first connection's
// one direction and then cuts it. Later connections live.
type octetCutter struct {
	ln    net.Listener
	to    string
	up    bool // count what the client sends, else what the server sends
	limit int  // negative: never

	mu     sync.Mutex
	passed [2][]byte // all of the first connection, by direction
	first  bool
	wg     sync.WaitGroup
}

func newOctetCutter(t testing.TB, to string, up bool, limit int) *octetCutter {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &octetCutter{ln: ln, to: to, up: up, limit: limit, first: true}
	c.wg.Go(c.run)
	return c
}

func (c *octetCutter) close() {
	_ = c.ln.Close()
}

func (c *octetCutter) run() {
	for {
		in, err := c.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = in.Close()
			return
		}
		counted := c.first
		c.first = false
		pipe := func(dst, src net.Conn, direction int) {
			defer dst.Close()
			defer src.Close()
			left := -1
			if counted && (direction == 0) == c.up {
				left = c.limit
			}
			var b [4096]byte
			for left != 0 {
				n, err := src.Read(b[:])
				if left >= 0 {
					n = min(n, left)
					left -= n
				}
				if counted {
					c.mu.Lock()
					c.passed[direction] = append(c.passed[direction], b[:n]...)
					c.mu.Unlock()
				}
				if _, werr := dst.Write(b[:n]); err != nil || werr != nil {
					return
				}
			}
		}
		c.wg.Go(func() { pipe(out, in, 0) })
		c.wg.Go(func() { pipe(in, out, 1) })
	}
}

// frameEnds are the offsets behind each WebSocket frame of one direction, the
// handshake first.
func (c *octetCutter) frameEnds(direction int) (ends []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.passed[direction]
	at := 0
	for i := range b {
		if i >= 3 && string(b[i-3:i+1]) == "\r\n\r\n" {
			at = i + 1
			break
		}
	}
	for at < len(b) {
		header, payload := ws.FrameLen(b[at:])
		at += header + payload
		ends = append(ends, at)
	}
	return ends
}

// cutWorld is a server and a client whose packets expire soon.
type cutWorld struct {
	parent, child *Engine
	ln            *Listener
	srv           *Server
}

func newCutWorld(t *testing.T) *cutWorld {
	cfg := Config{Loops: 1}
	cfg.Machine.ExpiryMargin = 1e8
	w := &cutWorld{parent: newEngine(t, cfg), child: newEngine(t, cfg)}
	var err error
	if w.ln, err = w.parent.ListenBTP("127.0.0.1:0", ListenConfig{Address: "test.parent", AssetCode: "XRP", AssetScale: 9, Open: true}); err != nil {
		t.Fatal(err)
	}
	if w.srv, err = w.ln.Listen(ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}}); err != nil {
		t.Fatal(err)
	}
	return w
}

const (
	cutPackets = 14
	cutTotal   = cutPackets * 100
)

// pay sends 14 packets one after the other over a proxy, and says what does not
// agree in the end.
func (w *cutWorld) pay(c *octetCutter, account string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	link, err := w.child.DialBTP(ctx, fmt.Sprintf("btp+ws://%s:token@%s", account, c.ln.Addr()), LinkConfig{})
	if err != nil {
		return err
	}
	defer link.Close()
	creds, err := w.srv.Credentials(stream.CredentialOptions{Tag: account})
	if err != nil {
		return err
	}
	conn, err := link.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{Options: stream.Options{
		MaxPacketAmount: 100, MaxInFlight: 1, Expiry: 1e9, IdleTimeout: -1,
	}})
	if err != nil {
		return err
	}
	st, err := conn.OpenStream()
	if err != nil {
		return err
	}
	sent, err := st.SendTotal(ctx, cutTotal)
	if err != nil {
		return fmt.Errorf("sent %d: %w", sent, err)
	}
	if info := st.Info(); info.Sent != cutTotal || info.Delivered != cutTotal || info.Held != 0 || info.Unknown != 0 {
		return fmt.Errorf("%+v", info)
	}
	return conn.Close(ctx)
}

// received gathers what the server's connections have received, by tag.
func (w *cutWorld) received(ctx context.Context, into *sync.Map) {
	for {
		conn, err := w.srv.Accept(ctx)
		if err != nil {
			return
		}
		into.Store(conn.Tag(), conn)
	}
}

// A payment whose link is cut at every octet of its tenth packet, on the way there
// and on the way back: whatever was lost, both ends agree, and nothing is spent
// twice.
func TestLinkCutAtEveryOctetOfThePacket(t *testing.T) {
	w := newCutWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var conns sync.Map
	var accepting sync.WaitGroup
	accepting.Go(func() { w.received(ctx, &conns) })

	whole := newOctetCutter(t, w.ln.Addr().String(), true, -1)
	defer whole.close()
	if err := w.pay(whole, "whole"); err != nil {
		t.Fatal(err)
	}
	type cut struct {
		up    bool
		limit int
	}
	var cuts []cut
	for direction, up := range []bool{true, false} {
		ends := whole.frameEnds(direction)
		// The last frames are the money's, then ConnectionClose and, upwards, the
		// WebSocket's close: the tenth packet is well before them.
		tenth := len(ends) - 6
		for at := ends[tenth-1]; at <= ends[tenth]; at++ {
			cuts = append(cuts, cut{up, at})
		}
	}
	if len(cuts) < 300 {
		t.Fatalf("only %d octets", len(cuts))
	}
	slots := make(chan struct{}, 64)
	var running sync.WaitGroup
	for n, c := range cuts {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			proxy := newOctetCutter(t, w.ln.Addr().String(), c.up, c.limit)
			defer proxy.close()
			account := fmt.Sprintf("cut%03d", n)
			if err := w.pay(proxy, account); err != nil {
				t.Errorf("cut after octet %d (up: %v): %v", c.limit, c.up, err)
				return
			}
			conn, ok := conns.Load(account)
			if !ok {
				t.Errorf("cut after octet %d: no connection at the server", c.limit)
				return
			}
			if got := conn.(Connection).Info().Received; got != cutTotal {
				t.Errorf("cut after octet %d (up: %v): %d received, %d sent", c.limit, c.up, got, cutTotal)
			}
		})
	}
	running.Wait()
	unknown := w.child.Stats().Unknown
	if unknown < uint64(len(cuts))/4 {
		t.Errorf("only %d packets were ever unknown in %d cuts", unknown, len(cuts))
	}
	t.Logf("%d cuts, %d packets unknown for a while", len(cuts), unknown)
	cancel()
	accepting.Wait()
}
