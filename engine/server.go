package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// Credentials let a client connect: an ILP address, and a secret that must only be
// told to that client.
type Credentials struct {
	// Address is the server's, with a token of these credentials.
	Address string
	// Secret is the shared secret of the connection (IL-RFC 0029 §4.1). Tell it over
	// an encrypted channel, and log it nowhere.
	Secret [32]byte
}

// Server takes connections. It is safe for concurrent use, but not from a Handler.
type Server struct {
	e       *Engine
	id      stream.ServerID
	tokens  stream.TokenScheme
	should  ShouldFulfill
	address func() string
	handler Handler
	accepts chan Connection
	live    atomic.Int64 // connections

	closeOnce sync.Once
	closed    chan struct{}
	emptied   chan struct{} // a connection has ended
}

func newServer(e *Engine, cfg ServerConfig, address func() string) (*Server, error) {
	if cfg.Options.NoMoneyEvents && cfg.Handler == nil {
		return nil, errNoMoneyEvents
	}
	secret := cfg.Secret
	if secret == nil {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
	}
	tokens := cfg.Tokens
	if tokens == nil {
		var err error
		if tokens, err = stream.NewTokens(secret); err != nil {
			return nil, err
		}
	}
	srv := &Server{
		e: e, tokens: tokens, address: address, handler: cfg.Handler, should: cfg.ShouldFulfill,
		accepts: make(chan Connection, maxAccepts),
		closed:  make(chan struct{}), emptied: make(chan struct{}, 1),
	}
	var err error
	srv.id, err = e.addServer(stream.ServerConfig{
		Tokens: tokens, Options: cfg.Options, Expiry: cfg.Expiry, Decide: cfg.ShouldFulfill != nil,
	}, srv)
	if err != nil {
		return nil, err
	}
	return srv, nil
}

// ID is the server's number in every shard's machine.
func (srv *Server) ID() stream.ServerID { return srv.id }

// Credentials makes an address and a shared secret for one connection of one client:
// make new ones for each. Nothing is stored: they are derived from the server's secret,
// and open a connection at any time while a server with that secret listens at the
// address. Once that connection has closed they are refused (F02) for
// Config.Machine.TombstoneTTL, 10 minutes unless set.
//
// Errors: stream.ErrTag, stream.ErrReceiptParams, stream.ErrScheme, and
// ilp.ErrAddress when the address becomes too long. ReceiptNonce and ReceiptSecret are
// copied.
func (srv *Server) Credentials(o stream.CredentialOptions) (Credentials, error) {
	var random [30]byte
	_, _ = rand.Read(random[:]) // never fails
	token, secret, err := srv.tokens.Issue(&random, o)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{Address: srv.address() + "." + token, Secret: secret}
	if err := checkAddress([]byte(c.Address)); err != nil {
		return Credentials{}, fmt.Errorf("engine: credentials: %w", err)
	}
	return c, nil
}

// Accept waits for the next connection that a client opened. It takes money, as far as
// its receive maxima go, before it is accepted and whether or not its streams are
// (AcceptStream). 1024 connections wait;
// further ones are closed with EndpointBusy. It fails with ErrServerClosed,
// ErrEngineClosed (also once a shard was stopped) or ctx's error.
func (srv *Server) Accept(ctx context.Context) (Connection, error) {
	select {
	case c := <-srv.accepts:
		return c, nil
	default:
	}
	select {
	case c := <-srv.accepts:
		return c, nil
	case <-srv.closed:
		return Connection{}, ErrServerClosed
	case <-srv.e.done:
		return Connection{}, ErrEngineClosed
	case <-srv.e.failed:
		return Connection{}, fmt.Errorf("%w: %w", ErrEngineClosed, srv.e.Err())
	case <-ctx.Done():
		return Connection{}, ctx.Err()
	}
}

func (srv *Server) isClosed() bool {
	select {
	case <-srv.closed:
		return true
	default:
		return false
	}
}

// Close takes no more connections, lets those that are open end, and waits for
// that, or for ctx, whose error it returns then.
func (srv *Server) Close(ctx context.Context) error {
	srv.closeOnce.Do(func() {
		close(srv.closed)
		for _, s := range srv.e.shards {
			_ = s.call(func() { s.m.CloseServer(s.now(), srv.id) })
		}
	})
	for srv.live.Load() > 0 {
		select {
		case <-srv.emptied:
		case <-srv.e.done:
			return nil
		case <-srv.e.failed:
			return fmt.Errorf("%w: %w", ErrEngineClosed, srv.e.Err())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select { // for another Close that waits
	case srv.emptied <- struct{}{}:
	default:
	}
	return nil
}

// accepted tells of a connection that a client opened at the server. On the loop.
func (s *shard) accepted(h stream.ConnHandle, ref serverRef) {
	srv := ref.srv
	srv.live.Add(1)
	if ref.door != 0 {
		s.own(h, ref.door)
		return
	}
	c := s.newConnState(h)
	s.ownAlone(h, door{state: c, server: srv, should: srv.should})
	select {
	case srv.accepts <- Connection{c}:
	default:
		_ = s.m.DestroyConn(s.now(), h, frame.EndpointBusy, "too many connections wait to be accepted")
	}
}

func (srv *Server) ended() {
	if srv.live.Add(-1) == 0 {
		select {
		case srv.emptied <- struct{}{}:
		default:
		}
	}
}
