package transport

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// raw is a peer without manners: a TCP connection and the codecs.
type raw struct {
	t    testing.TB
	conn *net.TCPConn
	keys *rand.ChaCha8
	r    ws.Reader
	buf  []byte
	end  error
	code int // of the peer's close frame
}

// connect makes a WebSocket handshake with ln and nothing more.
func connect(t testing.TB, ln *Listener, rcvbuf int) *raw {
	t.Helper()
	u, err := parseURL("btp+ws://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, rest, err := dialWebSocket(ctx, u)
	if err != nil {
		t.Fatal(err)
	}
	c := &raw{t: t, conn: conn.(*net.TCPConn), keys: rand.NewChaCha8([32]byte{3}), buf: make([]byte, 64<<10)}
	if rcvbuf > 0 {
		_ = c.conn.SetReadBuffer(rcvbuf)
	}
	c.r.Init(ws.Client, 0)
	c.r.Feed(rest)
	t.Cleanup(func() { _ = conn.Close(); c.r.Release() })
	return c
}

// login is connect and authentication.
func login(t testing.TB, ln *Listener, rcvbuf int) *raw {
	t.Helper()
	c := connect(t, ln, rcvbuf)
	c.send(c.auth("secret"))
	if p := c.next(); p.Type() != btp.TypeResponse || p.RequestID() != 1 || p.Count() != 0 {
		t.Fatalf("credentials were answered with %v", p.Type())
	}
	return c
}

func (c *raw) frame(op ws.Op, payload []byte) []byte {
	b := ws.AppendFrame(nil, op, payload, ws.Client)
	ws.MaskFrames(b, c.keys)
	return b
}

func (c *raw) auth(token string) []byte {
	return c.frame(ws.Binary, btp.AppendAuth(nil, 1, "raw", token))
}

func (c *raw) ilp(t btp.Type, id uint32, packet []byte) []byte {
	m := make([]byte, btp.ILPLen(len(packet)))
	copy(btp.PutILP(m, t, id, len(packet)), packet)
	return c.frame(ws.Binary, m)
}

func (c *raw) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// message is the next message, or nil when the link has ended: see end and code.
func (c *raw) message() []byte {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for c.end == nil {
		op, m := c.r.Next()
		switch op {
		case ws.Binary:
			return m
		case ws.Close:
			code, _, _ := ws.ParseClose(m)
			c.code = int(code)
			_, _ = c.conn.Write(c.frame(ws.Close, m)) // as RFC 6455 §5.5.1 wants it
			continue
		case ws.None:
			if err := c.r.Err(); err != nil {
				c.t.Fatalf("bad frames: %v", err)
			}
		default:
			continue
		}
		n, err := c.conn.Read(c.buf)
		c.r.Feed(c.buf[:n])
		if err != nil {
			c.end = err
			if n > 0 {
				c.end = nil
			}
		}
	}
	return nil
}

// next is the next BTP packet.
func (c *raw) next() btp.Packet {
	c.t.Helper()
	m := c.message()
	if m == nil {
		c.t.Fatalf("no packet: %v, close code %d", c.end, c.code)
	}
	p, err := btp.Parse(m)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// drain reads to the end of the link and returns the ids of the messages of a
// type.
func (c *raw) drain(of btp.Type) (ids []uint32) {
	c.t.Helper()
	for m := c.message(); m != nil; m = c.message() {
		p, err := btp.Parse(m)
		if err != nil {
			c.t.Fatalf("unreadable packet: %v", err)
		}
		if p.Type() == of {
			ids = append(ids, p.RequestID())
		}
	}
	var timeout net.Error
	if errors.As(c.end, &timeout) && timeout.Timeout() {
		c.t.Fatal("the link did not end")
	}
	return ids
}

// ended waits for the end of the link and whether it was TCP's orderly one.
func (c *raw) ended() bool {
	for c.message() != nil {
	}
	return errors.Is(c.end, io.EOF)
}
