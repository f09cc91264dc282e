package session

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// peer is the other end of a session under test, made of ws and btp alone.
type peer struct {
	t    testing.TB
	role ws.Role // the peer's own
	keys *rand.ChaCha8
	r    ws.Reader
}

func newPeer(t testing.TB, role ws.Role) *peer {
	p := &peer{t: t, role: role, keys: rand.NewChaCha8([32]byte{7})}
	p.r.Init(role, 0)
	t.Cleanup(p.r.Release)
	return p
}

// frame is one frame from the peer.
func (p *peer) frame(op ws.Op, payload []byte) []byte {
	b := ws.AppendFrame(nil, op, payload, p.role)
	if p.role == ws.Client {
		ws.MaskFrames(b, p.keys)
	}
	return b
}

func (p *peer) message(m []byte) []byte { return p.frame(ws.Binary, m) }

func (p *peer) auth(id uint32) []byte {
	return p.message(btp.AppendAuth(nil, id, "bob", "secret"))
}

func (p *peer) ilp(t btp.Type, id uint32, packet string) []byte {
	m := make([]byte, btp.ILPLen(len(packet)))
	copy(btp.PutILP(m, t, id, len(packet)), packet)
	return p.message(m)
}

// said takes the session's output and tells it in words.
func (p *peer) said(s *Session) []string {
	var got []string
	for _, c := range s.Out.Take(nil) {
		s.MaskOut(c.B, p.keys)
		p.r.Feed(bytes.Clone(c.B))
		c.Release()
		for {
			op, m := p.r.Next()
			if op == ws.None {
				break
			}
			got = append(got, describe(op, m))
		}
	}
	if err := p.r.Err(); err != nil {
		p.t.Fatalf("the session wrote bad frames: %v", err)
	}
	return got
}

func describe(op ws.Op, m []byte) string {
	switch op {
	case ws.Ping:
		return fmt.Sprintf("ping %q", m)
	case ws.Pong:
		return fmt.Sprintf("pong %q", m)
	case ws.Close:
		code, _, _ := ws.ParseClose(m)
		return fmt.Sprintf("close %d", code)
	}
	p, err := btp.Parse(m)
	if err != nil {
		return "unreadable"
	}
	if f, ok := p.ErrorFields(); ok {
		return fmt.Sprintf("Error %d %s %s %q", p.RequestID(), f.Code, f.Name, f.Data)
	}
	if packet, ok := p.ILP(); ok {
		return fmt.Sprintf("%v %d ilp %q", p.Type(), p.RequestID(), packet)
	}
	return fmt.Sprintf("%v %d", p.Type(), p.RequestID())
}

// read feeds b to a session that is up and tells the vectors that came out.
func read(s *Session, now int64, b []byte) (got []string) {
	s.Feed(now, b)
	vec := make([]Packet, 0, 64)
	for {
		if vec = s.Packets(vec[:0]); len(vec) == 0 {
			break
		}
		for _, p := range vec {
			got = append(got, fmt.Sprintf("%s %d %q", [...]string{"", "request", "response", "failure"}[p.Kind], p.ID, p.ILP))
		}
	}
	s.EndRead()
	return got
}

func want(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// upServer is an accepting session that has just come up, and its peer.
func upServer(t testing.TB, cfg Config) (*Session, *peer) {
	s, p := NewServer(&cfg, 0), newPeer(t, ws.Client)
	t.Cleanup(s.Release)
	s.Feed(0, p.auth(1))
	if s.Advance() != Asked {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	s.Accept()
	want(t, "answer", p.said(s), "Response 1")
	return s, p
}

// upClient is a dialing session that has just come up, and its peer.
func upClient(t testing.TB, cfg Config) (*Session, *peer) {
	s, p := NewClient(&cfg, 0, 5, "alice", "token"), newPeer(t, ws.Server)
	t.Cleanup(s.Release)
	p.said(s)
	s.Feed(0, p.message(btp.AppendResponse(nil, 5)))
	if s.Advance() != Up {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	return s, p
}
