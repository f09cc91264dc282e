package session

import (
	"time"

	"github.com/millrace-ilp/millrace/transport/ws"
)

// Config tunes sessions. The zero value works.
type Config struct {
	// MaxMessage bounds the octets of a BTP packet from the peer. Zero, and
	// anything larger, means ws.DefaultMaxMessage.
	MaxMessage int
	// PingInterval is how long nothing may come in before a ping goes out. Zero
	// means 25s; negative means never.
	PingInterval time.Duration
	// DeadTimeout is how long nothing may come in before the peer is given up.
	// Zero means 75s; negative means never.
	DeadTimeout time.Duration
	// MaxControl bounds the control frames that the peer may send in one second.
	// Zero means 256.
	MaxControl int
}

func (c Config) withDefaults() Config {
	if c.MaxMessage <= 0 || c.MaxMessage > ws.DefaultMaxMessage {
		c.MaxMessage = ws.DefaultMaxMessage
	}
	if c.PingInterval == 0 {
		c.PingInterval = 25 * time.Second
	}
	if c.DeadTimeout == 0 {
		c.DeadTimeout = 75 * time.Second
	}
	if c.MaxControl <= 0 {
		c.MaxControl = 256
	}
	return c
}
