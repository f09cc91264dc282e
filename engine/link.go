package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport"
)

// Link is a link to one peer that we dialed or attached. It outlives its sockets:
// connections on it go on when it has been lost and is back. It is safe for
// concurrent use, but not from a Handler.
type Link struct {
	e      *Engine
	s      *shard
	cfg    stream.LinkConfig
	dialer *transport.Dialer
	out    PacketLink

	port atomic.Pointer[port] // once it is up for the first time

	listening sync.Mutex // held by Listen, for server
	server    *Server

	mu        sync.Mutex
	settled   bool // configured is closed
	err       error
	address   string
	assetCode string
	scale     uint8
	closed    bool

	configured chan struct{}
}

// DialBTP connects to a peer, btp+ws://user:token@host:port/path, and returns when
// the link is up and has an address: the configured one, or what the peer answers
// to peer.config (IL-RFC 0031). ctx bounds just that. The link then reconnects by
// itself. Errors: ErrConfig, ilp.ErrAddress, ErrURL, ErrWSS, ErrLinkRefused, ErrEngineClosed, ctx's, those of
// the network, and *transport.RefusedError when the credentials were refused.
func (e *Engine) DialBTP(ctx context.Context, url string, cfg LinkConfig) (*Link, error) {
	s, err := e.shardFor(cfg.Loop)
	if err != nil {
		return nil, err
	}
	name := cfg.Account
	if name == "" {
		name = "dialed " + url
	}
	l := &Link{e: e, s: s, configured: make(chan struct{}), cfg: stream.LinkConfig{
		Address: []byte(cfg.Address), AssetCode: []byte(cfg.AssetCode), AssetScale: cfg.AssetScale,
		Echo: cfg.Echo, Window: cfg.Window, Account: e.accountNumber(name),
	}}
	if err := l.check(); err != nil {
		return nil, err
	}
	l.dialer, err = transport.Dial(ctx, transport.DialConfig{
		URL: url, Loop: s.loop, Context: l, Reconnect: !cfg.NoReconnect,
		OnState: func(state transport.State, err error) {
			if refused := (*transport.RefusedError)(nil); state == transport.StateDown && errors.As(err, &refused) {
				e.log.Warn("the peer refused our credentials", "reason", err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return l.ready(ctx)
}

// ready waits for a link's address.
func (l *Link) ready(ctx context.Context) (*Link, error) {
	var err error
	if err = l.e.register(l); err != nil {
		_ = l.Close()
		return nil, err
	}
	select {
	case <-l.configured:
		l.mu.Lock()
		err = l.err
		l.mu.Unlock()
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.s.dead:
		err = ErrEngineClosed
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// check refuses what AddLink would.
func (l *Link) check() error {
	if len(l.cfg.Address) == 0 {
		return nil
	}
	return checkAddress(l.cfg.Address)
}

// dialedUp takes the socket of a dialed link, the first or a further one.
func (s *shard) dialedUp(tl *transport.Link, l *Link) {
	p := l.port.Load()
	if p == nil {
		var err error
		if p, err = s.addPort(l.cfg); err != nil {
			l.refused(err)
			tl.Close(err)
			return
		}
		p.dialed = l
		l.port.Store(p)
		if len(l.cfg.Address) > 0 {
			l.isConfigured(p)
		}
	}
	s.carry(p, tl)
}

// isConfigured notes the address that a link has now. On the loop.
func (l *Link) isConfigured(p *port) {
	info, ok := l.s.m.LinkInfo(p.handle)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.address, l.assetCode, l.scale = string(info.Address), string(info.AssetCode), info.AssetScale
	if !l.settled {
		l.settled = true
		close(l.configured)
	}
}

// refused notes that nobody told us an address. On the loop.
func (l *Link) refused(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.settled {
		l.settled, l.err = true, err
		close(l.configured)
	}
}

// Address is our ILP address on the link.
func (l *Link) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// Asset is the code and scale of the link's amounts.
func (l *Link) Asset() (code string, scale uint8) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.assetCode, l.scale
}

// Listen makes a server that answers for addresses below the link's. A link has at
// most one: ErrListening. Further errors: ErrLinkClosed, ErrEngineClosed,
// stream.ErrServerSecret, stream.ErrConfig.
func (l *Link) Listen(cfg ServerConfig) (*Server, error) {
	p, err := l.live()
	if err != nil {
		return nil, err
	}
	l.listening.Lock()
	defer l.listening.Unlock()
	if l.server != nil && !l.server.isClosed() {
		return nil, ErrListening
	}
	srv, err := newServer(l.e, cfg, l.Address)
	if err != nil {
		return nil, err
	}
	var setErr error
	if err := l.s.call(func() {
		p.config.Server = srv.id
		setErr = l.s.m.SetServer(p.handle, srv.id)
	}); err != nil {
		return nil, err
	}
	if setErr != nil {
		return nil, setErr
	}
	l.server = srv
	return srv, nil
}

// live is the link's port, unless the link is closed.
func (l *Link) live() (*port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.port.Load()
	if l.closed || p == nil {
		return nil, ErrLinkClosed
	}
	return p, nil
}

// Connect opens a connection to a server's address with its shared secret, and
// returns when it is ready to send money. Credentials are good for one connection
// (Server.Credentials): of two that share them the server takes the one's packets for
// replays of the other's, and after the first has closed it refuses.
//
// It fails with a *CloseError when the rate could not be found (a wrong secret, an
// address that nobody answers for, credentials that were used before), with ctx's error
// when that comes first, and with ErrLinkClosed, ErrEngineClosed, ErrConfig,
// stream.ErrConfig, stream.ErrTooMany or ilp.ErrAddress.
func (l *Link) Connect(ctx context.Context, address string, secret [32]byte, cfg ConnectConfig) (Connection, error) {
	if cfg.Handler != nil {
		return Connection{}, fmt.Errorf("%w: ConnectConfig.Handler is for ConnectOnLoop", ErrConfig)
	}
	if cfg.Options.NoMoneyEvents {
		return Connection{}, errNoMoneyEvents
	}
	p, err := l.live()
	if err != nil {
		return Connection{}, err
	}
	var c *connState
	var failed error
	if err := l.s.call(func() {
		var h stream.ConnHandle
		h, failed = l.s.m.Connect(l.s.now(), stream.ConnectConfig{
			Link: p.handle, Destination: []byte(address), SharedSecret: secret, Options: cfg.Options,
			Expiry: cfg.Expiry, Decide: cfg.ShouldFulfill != nil,
		})
		if failed == nil {
			c = l.s.newConnState(h)
			l.s.ownAlone(h, door{state: c, should: cfg.ShouldFulfill})
		}
	}); err != nil {
		return Connection{}, err
	}
	if failed != nil {
		return Connection{}, failed
	}
	if err := c.wait(ctx, func() bool { return c.connected }); err != nil {
		if c.err() == nil {
			_ = c.destroy(0, "given up")
		}
		return Connection{}, err
	}
	return Connection{c}, nil
}

// connectBatch is how many connections are opened in one go, a fraction of a
// millisecond, so that the loop serves others in between.
const connectBatch = 64

// ConnectOnLoop opens n connections whose events go to cfg.Handler on the link's
// loop; each is called there, from 0 to n-1, for where to connect to. It makes no
// Go object a connection. It returns when all are begun, or at the first error, those
// before it open: ErrConfig, ErrLinkClosed, ErrEngineClosed, stream.ErrConfig,
// stream.ErrTooMany, ilp.ErrAddress.
func (l *Link) ConnectOnLoop(n int, each func(i int) (address string, secret [32]byte), cfg ConnectConfig) error {
	if cfg.Handler == nil {
		return fmt.Errorf("%w: ConnectConfig.Handler is missing", ErrConfig)
	}
	p, err := l.live()
	if err != nil {
		return err
	}
	s := l.s
	var to uint32
	i, done := 0, make(chan error, 1)
	var some func(lp *OnLoop)
	some = func(lp *OnLoop) {
		for end := min(i+connectBatch, n); i < end; i++ {
			address, secret := each(i)
			s.destination = append(s.destination[:0], address...)
			h, err := s.m.Connect(s.now(), stream.ConnectConfig{
				Link: p.handle, Destination: s.destination, SharedSecret: secret, Options: cfg.Options,
				Expiry: cfg.Expiry, Decide: cfg.ShouldFulfill != nil,
			})
			if err != nil {
				s.leaveDoor(to)
				done <- err
				return
			}
			s.own(h, to)
		}
		if i < n {
			lp.Later(some)
			return
		}
		s.leaveDoor(to)
		done <- nil
	}
	if err := s.call(func() {
		to = s.openDoor(door{handler: cfg.Handler, should: cfg.ShouldFulfill})
		some(&s.onLoop)
	}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-s.dead:
		return ErrEngineClosed
	}
}

// Do runs f on the link's loop and waits for it. f must not block, and may call what a
// Handler may; lp is good only during the call. Errors: ErrEngineClosed.
func (l *Link) Do(f func(lp *OnLoop)) error {
	return l.s.call(func() { f(&l.s.onLoop) })
}

// Handle names the link to its shard's machine; zero before it was ever up.
func (l *Link) Handle() stream.LinkHandle {
	if p := l.port.Load(); p != nil {
		return p.handle
	}
	return 0
}

// Close closes the link for good: its connections end, and it does not reconnect.
// Close connections first for a graceful end.
func (l *Link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.e.unregister(l)
	if l.dialer != nil {
		_ = l.dialer.Close()
	}
	if p := l.port.Load(); p != nil {
		_ = l.s.call(func() { l.s.removePort(p) })
	}
	return nil
}
