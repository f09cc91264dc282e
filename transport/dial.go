package transport

import (
	"context"
	"errors"
	"time"
)

// ErrWSS says that btp+wss URLs are not supported yet.
var ErrWSS = errors.New("transport: btp+wss is not supported yet")

// State is what a Dialer's link is doing.
type State uint8

// The states of a Dialer.
const (
	StateConnecting State = iota + 1
	StateUp
	StateDown
	StateClosed
)

// DialConfig says whom to dial.
type DialConfig struct {
	URL         string
	Loop        *Loop
	Context     any
	Reconnect   bool
	DialTimeout time.Duration
	AuthTimeout time.Duration
	OnState     func(state State, err error)
}

// Dialer keeps one dialed link up.
type Dialer struct{}

func Dial(ctx context.Context, cfg DialConfig) (*Dialer, error) { return nil, nil }
func (d *Dialer) Close() error                                  { return nil }
