package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/transport/session"
)

// ListenConfig says where to listen and who may come in.
type ListenConfig struct {
	// Addr is the TCP address, such as "127.0.0.1:7768". Port 0 chooses one.
	Addr string
	// Authenticate judges what a peer says it is: username and token as the
	// octets it sent, borrowed until it returns. username is nil if the peer sent
	// none. It answers with the account, for Link.Account, and the index of the
	// loop that the link shall live on; with an error the peer is refused, and
	// told no more than that. It runs on a goroutine of the handshake, several at
	// once. Compare tokens with EqualToken. Required.
	Authenticate func(username, token []byte) (account any, loop int, err error)
	// AllowedPaths are the paths of the URL that are answered; any other gets
	// 404. Empty means every path.
	AllowedPaths []string
	// MaxHandshakes bounds the connections that are not authenticated yet. When
	// it is reached the oldest gives way. Zero means 256.
	MaxHandshakes int
	// HandshakeTimeout bounds the time from accept to authentication. Zero means
	// 10s.
	HandshakeTimeout time.Duration
	// MaxLinks bounds the links of this listener, handshakes included; over it
	// connections are closed at once. Zero means 16384.
	MaxLinks int
}

// Listener accepts BTP links: the WebSocket handshake and BTP authentication run
// on goroutines of its own, and the link then goes to its loop.
type Listener struct {
	cfg   ListenConfig
	loops []*Loop
	ln    net.Listener
	links atomic.Int64

	mu      sync.Mutex
	leaving int        // handshakes that gave way and have not ended
	shakes  []net.Conn // not authenticated yet, oldest first
	closed  bool
	done    sync.WaitGroup
}

// Listen listens on cfg.Addr for links that live on loops.
func Listen(loops []*Loop, cfg ListenConfig) (*Listener, error) {
	setInt(&cfg.MaxHandshakes, 256)
	setInt(&cfg.MaxLinks, 16384)
	setTime(&cfg.HandshakeTimeout, 10*time.Second)
	switch {
	case len(loops) == 0:
		return nil, errors.New("transport: Listen without loops")
	case cfg.Authenticate == nil:
		return nil, errors.New("transport: ListenConfig.Authenticate is missing")
	case cfg.MaxHandshakes < 0:
		return nil, fmt.Errorf("transport: ListenConfig.MaxHandshakes %d is negative", cfg.MaxHandshakes)
	case cfg.MaxLinks < 0:
		return nil, fmt.Errorf("transport: ListenConfig.MaxLinks %d is negative", cfg.MaxLinks)
	case cfg.HandshakeTimeout < 0:
		return nil, fmt.Errorf("transport: ListenConfig.HandshakeTimeout %v is negative", cfg.HandshakeTimeout)
	}
	inner, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("transport: %w", err)
	}
	ln := &Listener{cfg: cfg, loops: loops, ln: inner}
	ln.done.Go(ln.accept)
	return ln, nil
}

// Addr is the address that is listened on.
func (ln *Listener) Addr() net.Addr { return ln.ln.Addr() }

// Links is how many links and handshakes the listener has now.
func (ln *Listener) Links() int { return int(ln.links.Load()) }

// Close stops listening and cuts off handshakes. Links live on: their loops close
// them. Not to be called on a loop.
func (ln *Listener) Close() error {
	ln.mu.Lock()
	ln.closed = true
	for _, conn := range ln.shakes {
		_ = conn.Close()
	}
	ln.mu.Unlock()
	err := ln.ln.Close()
	ln.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil // the second time
	}
	return err
}

func (ln *Listener) accept() {
	pause := time.Duration(0)
	for {
		conn, err := ln.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, say: it may pass
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		if ln.links.Load() >= int64(ln.cfg.MaxLinks) || !ln.admit(conn) {
			_ = conn.Close()
			continue
		}
		ln.links.Add(1)
		ln.done.Go(func() {
			authentic := false
			kept := ln.shake(conn, &authentic)
			if !authentic {
				ln.finished(conn)
			}
			if !kept {
				_ = conn.Close()
				ln.links.Add(-1)
			}
		})
	}
}

// admit makes room for one more handshake, at the cost of the oldest, so that
// peers that say nothing cannot keep others out.
func (ln *Listener) admit(conn net.Conn) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if len(ln.shakes) >= ln.cfg.MaxHandshakes {
		// Its goroutine may be in Authenticate, which does not notice: it is not
		// waited for, but of such there are not many more.
		if ln.leaving >= 4*ln.cfg.MaxHandshakes {
			return false
		}
		_ = ln.shakes[0].Close()
		ln.shakes = append(ln.shakes[:0], ln.shakes[1:]...)
		ln.leaving++
	}
	if ln.closed {
		return false
	}
	ln.shakes = append(ln.shakes, conn)
	return true
}

func (ln *Listener) finished(conn net.Conn) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for i, c := range ln.shakes {
		if c == conn {
			ln.shakes = append(ln.shakes[:i], ln.shakes[i+1:]...)
			return
		}
	}
	ln.leaving--
}

// shake is handshake, whatever it or Authenticate does.
func (ln *Listener) shake(conn net.Conn, authentic *bool) (kept bool) {
	var failed error
	func() {
		defer ln.loops[0].shielded(&failed)
		kept = ln.handshake(conn, authentic)
	}()
	return kept && failed == nil
}

// handshake brings one connection to its loop, or answers false. It notes once the peer
// is authentic: from then on it is finished, and Close leaves it alone.
func (ln *Listener) handshake(conn net.Conn, authentic *bool) bool {
	_ = conn.SetDeadline(time.Now().Add(ln.cfg.HandshakeTimeout))
	early, err := acceptWebSocket(conn, ln.cfg.AllowedPaths)
	if err != nil {
		leave(conn)
		return false
	}
	s := session.NewServer(ln.loops[0].cfg.session(), time.Now().UnixNano())
	rest, err := exchange(conn, s, nil, early)
	if err != nil {
		s.Release()
		return false
	}
	if s.State() != session.Asked {
		sayAndLeave(conn, s, nil)
		return false
	}
	account, index, err := ln.cfg.Authenticate(s.Credentials())
	if err != nil || index < 0 || index >= len(ln.loops) {
		s.Refuse(session.WrongToken)
		sayAndLeave(conn, s, nil)
		return false
	}
	s.Accept() // the loop sends it, in front of anything else
	l := newLink(ln.loops[index], s, conn, rest)
	l.server, l.account = true, account
	l.gone = func() { ln.links.Add(-1) }
	_ = conn.SetDeadline(time.Time{})
	ln.finished(conn) // before the peer hears of it
	*authentic = true
	if err := l.loop.enroll(l, conn); err != nil {
		s.Release()
		return false
	}
	return true
}

// newLink makes the link of an authenticated session.
func newLink(lp *Loop, s *session.Session, conn net.Conn, early []byte) *Link {
	return &Link{loop: lp, s: s, remote: conn.RemoteAddr().String(), early: early, done: make(chan struct{})}
}
