package transport

import (
	"net"
	"time"
)

// ListenConfig says who may connect.
type ListenConfig struct {
	Addr             string
	Authenticate     func(username, token []byte) (account any, loop int, err error)
	AllowedPaths     []string
	MaxHandshakes    int
	HandshakeTimeout time.Duration
	MaxLinks         int
}

// Listener accepts BTP links.
type Listener struct{}

func Listen(loops []*Loop, cfg ListenConfig) (*Listener, error) { return nil, nil }
func (ln *Listener) Addr() net.Addr                             { return nil }
func (ln *Listener) Close() error                               { return nil }

// EqualToken compares two tokens in constant time.
func EqualToken(a, b []byte) bool { return false }
