package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport"
)

// Listener takes BTP links of many accounts. It answers their peer.config requests
// (IL-RFC 0031): each account has a child address of the listener's.
type Listener struct {
	e   *Engine
	cfg ListenConfig
	ln  *transport.Listener

	listening sync.Mutex // held by Listen

	mu       sync.Mutex
	accounts map[string]*account
	refusals int // since one was last logged
	logged   time.Time
	swept    time.Time // when accounts without links were last looked for
	server   *Server
	closed   bool
}

// account is one account of a listener. Its ports belong to its shard's loop.
type account struct {
	ln     *Listener
	number uint32
	name   string
	s      *shard
	ports  []*port
	live   atomic.Int32 // len(ports), for other goroutines
	seen   time.Time    // of the last authentication; under the listener's lock
}

func (a *account) forget(p *port) {
	a.ports = slices.DeleteFunc(a.ports, func(q *port) bool { return q == p })
	a.live.Store(int32(len(a.ports)))
}

// ListenBTP listens for BTP links on a TCP address, such as "127.0.0.1:7768"; port 0
// picks one, which Listener.Addr tells. Errors: ErrConfig (with ilp.ErrAddress for
// Address), ErrEngineClosed, those of the network.
func (e *Engine) ListenBTP(addr string, cfg ListenConfig) (*Listener, error) {
	if err := checkAddress([]byte(cfg.Address)); err != nil {
		return nil, fmt.Errorf("%w: ListenConfig.Address: %w", ErrConfig, err)
	}
	if cfg.Accounts == nil && cfg.Tokens == nil && !cfg.Open {
		return nil, fmt.Errorf("%w: ListenConfig has none of Accounts, Tokens and Open", ErrConfig)
	}
	if cfg.MaxAccounts <= 0 {
		cfg.MaxAccounts = 1 << 16
	}
	if cfg.MaxLinksPerAccount <= 0 {
		cfg.MaxLinksPerAccount = 64
	}
	ln := &Listener{e: e, cfg: cfg, accounts: make(map[string]*account)}
	var err error
	ln.ln, err = transport.Listen(e.loops, transport.ListenConfig{
		Addr: addr, Authenticate: ln.authenticate, AllowedPaths: cfg.AllowedPaths,
		MaxHandshakes: cfg.MaxHandshakes, HandshakeTimeout: cfg.HandshakeTimeout, MaxLinks: cfg.MaxLinks,
	})
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		_ = ln.ln.Close()
		return nil, ErrEngineClosed
	}
	e.listeners[ln] = struct{}{}
	return ln, nil
}

// authenticate finds a peer's account. It runs on a goroutine of the handshake.
func (ln *Listener) authenticate(username, token []byte) (any, int, error) {
	a, err := ln.judge(username, token)
	if err != nil {
		ln.refused(username, err)
		return nil, 0, err
	}
	return a, a.s.index, nil
}

// refused logs a refusal, at most one a second: anybody can cause them.
func (ln *Listener) refused(username []byte, why error) {
	ln.mu.Lock()
	ln.refusals++
	n, now := ln.refusals, time.Now()
	if now.Sub(ln.logged) < time.Second {
		ln.mu.Unlock()
		return
	}
	ln.refusals, ln.logged = 0, now
	ln.mu.Unlock()
	ln.e.log.Warn("refused a peer", "username", string(username[:min(len(username), 64)]), "reason", why, "refusals", n)
}

func (ln *Listener) judge(username, token []byte) (*account, error) {
	if len(username) > maxUsername {
		return nil, ErrUnauthorized
	}
	name, err := string(username), error(nil)
	switch {
	case ln.cfg.Accounts != nil:
		name, err = ln.cfg.Accounts(name, string(token))
	case ln.cfg.Tokens != nil:
		want, known := ln.cfg.Tokens[name]
		if same := transport.EqualToken([]byte(want), token); !same || !known {
			err = ErrUnauthorized
		}
	case name == "":
		sum := sha256.Sum256(token)
		name = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	if err != nil {
		return nil, err
	}
	if name == "" || len(name) > maxUsername {
		return nil, ErrUnauthorized
	}
	return ln.account(name)
}

// account is the account of a name.
func (ln *Listener) account(name string) (*account, error) {
	child := ln.cfg.Address + "." + segment(name)
	if err := checkAddress([]byte(child)); err != nil {
		return nil, err
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.closed {
		return nil, ErrLinkClosed
	}
	now := time.Now()
	if a := ln.accounts[name]; a != nil {
		a.seen = now
		return a, nil
	}
	if len(ln.accounts) >= ln.cfg.MaxAccounts {
		ln.sweep(now)
	}
	if len(ln.accounts) >= ln.cfg.MaxAccounts {
		return nil, ErrTooManyAccounts
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	a := &account{ln: ln, name: name, seen: now, number: ln.e.accountNumber(""), s: ln.e.shards[int(h.Sum32()%uint32(len(ln.e.shards)))]}
	ln.accounts[name] = a
	return a, nil
}

// sweep forgets accounts that have no link any more, at most once a second. What
// it forgets has been gone for graceNs: no connection knows its number.
func (ln *Listener) sweep(now time.Time) {
	if now.Sub(ln.swept) < time.Second {
		return
	}
	ln.swept = now
	for name, a := range ln.accounts {
		if a.live.Load() == 0 && now.Sub(a.seen) > shakeTime {
			delete(ln.accounts, name)
		}
	}
}

// shakeTime is more than passes between an authentication and the link being up.
const shakeTime = 15 * time.Second

// maxUsername bounds the octets of a username, and of a name that
// ListenConfig.Accounts makes of it.
const maxUsername = 256

// segment makes an account's name a segment of an ILP address (IL-RFC 0015).
func segment(name string) string {
	fits := len(name) > 0 && len(name) <= 64
	for _, c := range []byte(name) {
		fits = fits && (c == '_' || c == '~' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z')
	}
	if fits {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// accountUp takes an account's socket. It carries on a link of the account that
// lost its own, or is a further one.
func (s *shard) accountUp(l *transport.Link, a *account) {
	for _, p := range a.ports {
		if p.link == nil {
			s.carry(p, l)
			return
		}
	}
	ln := a.ln
	if len(a.ports) >= ln.cfg.MaxLinksPerAccount {
		l.Close(ErrTooManyLinks)
		return
	}
	cfg := stream.LinkConfig{
		Address: []byte(ln.cfg.Address), AssetCode: []byte(ln.cfg.AssetCode), AssetScale: ln.cfg.AssetScale,
		Account: a.number, Child: []byte(ln.cfg.Address + "." + segment(a.name)), Echo: ln.cfg.Echo, Window: ln.cfg.Window,
	}
	ln.mu.Lock()
	if ln.server != nil {
		cfg.Server = ln.server.id
	}
	closed := ln.closed
	ln.mu.Unlock()
	if closed {
		l.Close(ErrLinkClosed)
		return
	}
	p, err := s.addPort(cfg)
	if err != nil {
		l.Close(err)
		return
	}
	p.account = a
	a.ports = append(a.ports, p)
	a.live.Store(int32(len(a.ports)))
	s.carry(p, l)
}

// Addr is the network address that is listened on.
func (ln *Listener) Addr() net.Addr { return ln.ln.Addr() }

// Address is our ILP address.
func (ln *Listener) Address() string { return ln.cfg.Address }

// Listen makes a server that answers to every account for addresses below
// ListenConfig.Address. A listener has at most one: ErrListening. Further errors:
// ErrLinkClosed, ErrEngineClosed, stream.ErrServerSecret, stream.ErrConfig.
func (ln *Listener) Listen(cfg ServerConfig) (*Server, error) {
	ln.listening.Lock()
	defer ln.listening.Unlock()
	ln.mu.Lock()
	if ln.closed {
		ln.mu.Unlock()
		return nil, ErrLinkClosed
	}
	if ln.server != nil && !ln.server.isClosed() {
		ln.mu.Unlock()
		return nil, ErrListening
	}
	ln.mu.Unlock()
	srv, err := newServer(ln.e, cfg, ln.Address)
	if err != nil {
		return nil, err
	}
	ln.mu.Lock()
	ln.server = srv
	ln.mu.Unlock()
	return srv, ln.onEach(func(s *shard, p *port) {
		p.config.Server = srv.id
		_ = s.m.SetServer(p.handle, srv.id)
	})
}

// onEach runs f on the loops for every link of the listener.
func (ln *Listener) onEach(f func(s *shard, p *port)) error {
	for _, s := range ln.e.shards {
		if err := s.call(func() {
			for _, p := range s.ports {
				if p != nil && p.account != nil && p.account.ln == ln {
					f(s, p)
				}
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// Close stops listening and closes the links of all accounts for good, with their
// connections.
func (ln *Listener) Close() error {
	ln.mu.Lock()
	ln.closed = true
	ln.mu.Unlock()
	ln.e.mu.Lock()
	delete(ln.e.listeners, ln)
	ln.e.mu.Unlock()
	err := ln.ln.Close()
	_ = ln.onEach(func(s *shard, p *port) {
		p.account.forget(p)
		s.removePort(p)
	})
	return err
}
