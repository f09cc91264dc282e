package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/transport/session"
)

// State is what a Dialer's link is doing.
type State uint8

// The states of a Dialer.
const (
	StateConnecting State = iota + 1 // an attempt begins
	StateUp                          // the link is up; LinkUp has run
	StateDown                        // the link was lost, or an attempt failed: see the error
	StateClosed                      // for good
)

// String is the name of the state.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "connecting"
	case StateUp:
		return "up"
	case StateDown:
		return "down"
	case StateClosed:
		return "closed"
	}
	return "invalid"
}

// DialConfig says whom to dial.
type DialConfig struct {
	// URL is btp+ws://user:token@host:port/path?query. User and token are sent
	// as they stand, percent signs and all, as other implementations do.
	// Required.
	URL string
	// Loop is where the link lives. Required.
	Loop *Loop
	// Context is for Link.Context.
	Context any
	// Reconnect keeps the link up: when it is lost, the Dialer dials again, at
	// once and then after 100, 500, 1000, 2000 and 5000 ms, and from the start
	// again once an attempt is 10 s old.
	Reconnect bool
	// DialTimeout bounds connecting and the WebSocket handshake. Zero means 10s.
	DialTimeout time.Duration
	// AuthTimeout bounds the wait for the answer to our credentials. Zero means
	// 10s.
	AuthTimeout time.Duration
	// OnState is told of each change, with the reason of StateDown; one call at a
	// time, on a goroutine of the Dialer, which waits for it. Must not call
	// Dialer.Close.
	OnState func(state State, err error)
}

// delays are those of other implementations, which operators know.
var delays = [...]time.Duration{
	0, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
}

// resetDelays is how old an attempt has to be for the next one to come at once.
const resetDelays = 10 * time.Second

// Dialer keeps one dialed link.
type Dialer struct {
	cfg    DialConfig
	target target
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	link *Link
}

// Dial connects to a peer and returns when the link is up, its LinkUp included, or
// the first attempt has failed: with ErrURL or ErrWSS, an error of the network, a
// *RefusedError when the peer refused our credentials, or a *CloseError. ctx bounds the first attempt
// only. Not to be called on a loop.
func Dial(ctx context.Context, cfg DialConfig) (*Dialer, error) {
	setTime(&cfg.DialTimeout, 10*time.Second)
	setTime(&cfg.AuthTimeout, 10*time.Second)
	if cfg.Loop == nil {
		return nil, errors.New("transport: DialConfig.Loop is missing")
	}
	if cfg.OnState == nil {
		cfg.OnState = func(State, error) {}
	}
	t, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	d := &Dialer{cfg: cfg, target: t, done: make(chan struct{})}
	d.ctx, d.cancel = context.WithCancel(context.WithoutCancel(ctx))
	began := time.Now()
	d.tell(StateConnecting, nil)
	l, err := d.attempt(ctx)
	if err != nil {
		d.cancel()
		d.tell(StateDown, err)
		d.tell(StateClosed, err)
		return nil, err
	}
	d.link = l
	d.tell(StateUp, nil)
	go d.keep(began)
	return d, nil
}

// Link is the link that is up, or nil.
func (d *Dialer) Link() *Link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link
}

// Close closes the link, as Link.Close does, dials no more, and returns when the
// link is down. Not to be called on a loop.
func (d *Dialer) Close() error {
	d.cancel()
	<-d.done
	return nil
}

// Done is closed when the Dialer has given up: it was closed, its loop was, or the
// link was lost and Reconnect is not set.
func (d *Dialer) Done() <-chan struct{} { return d.done }

// attempt dials once.
func (d *Dialer) attempt(ctx context.Context) (l *Link, err error) {
	defer d.cfg.Loop.shielded(&err)
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DialTimeout+d.cfg.AuthTimeout)
	defer cancel()
	dialing, stop := context.WithTimeout(ctx, d.cfg.DialTimeout)
	conn, early, err := dialWebSocket(dialing, d.target)
	stop()
	if err != nil {
		return nil, err
	}
	auth, stop := context.WithTimeout(ctx, d.cfg.AuthTimeout)
	defer stop()
	ends := context.AfterFunc(auth, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	lp, keys := d.cfg.Loop, newKeys()
	s := session.NewClient(lp.cfg.session(), time.Now().UnixNano(), uint32(keys.Uint64()), d.target.username, d.target.token)
	rest, err := exchange(conn, s, keys, early)
	if !ends() && err == nil {
		err = context.Cause(auth)
	}
	if err == nil && s.State() != session.Up {
		err = s.Err()
		sayAndLeave(conn, s, keys)
	}
	if err != nil {
		s.Release()
		_ = conn.Close()
		if auth.Err() != nil {
			err = auth.Err()
		}
		return nil, fmt.Errorf("transport: authentication: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	l = newLink(lp, s, conn, rest)
	l.context = d.cfg.Context
	if err := lp.enroll(l, conn); err != nil {
		s.Release()
		return nil, err
	}
	return l, nil
}

// tell calls OnState, which may panic: then it has had its say.
func (d *Dialer) tell(state State, err error) {
	var failed error
	defer d.cfg.Loop.shielded(&failed)
	d.cfg.OnState(state, err)
}

// keep waits for the link's end and brings it back.
func (d *Dialer) keep(began time.Time) {
	defer close(d.done)
	try := 0
	for {
		err := d.watch()
		d.tell(StateDown, err)
		for {
			if !d.cfg.Reconnect || d.ctx.Err() != nil || errors.Is(err, ErrLoopClosed) {
				d.tell(StateClosed, err)
				return
			}
			if time.Since(began) >= resetDelays {
				try = 0
			}
			select {
			case <-d.ctx.Done():
				continue
			case <-time.After(delays[min(try, len(delays)-1)]):
			}
			try++
			began = time.Now()
			d.tell(StateConnecting, nil)
			var l *Link
			if l, err = d.attempt(d.ctx); err == nil {
				d.mu.Lock()
				d.link = l
				d.mu.Unlock()
				d.tell(StateUp, nil)
				break
			}
			d.tell(StateDown, err)
		}
	}
}

// watch returns when the link is down, and why.
func (d *Dialer) watch() error {
	l := d.Link()
	select {
	case <-l.Done():
	case <-d.ctx.Done():
		l.Close(nil)
		<-l.Done()
	}
	d.mu.Lock()
	d.link = nil
	d.mu.Unlock()
	return l.reason // written before Done was closed
}
