package engine

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// Bounds that no configuration raises.
const (
	// maxInbox bounds the calls that wait for a shard; further callers wait.
	maxInbox = 4096
	// maxForwards bounds the octets that wait to cross from one shard to
	// another; past it packets are lost, as on a network.
	maxForwards = 16 << 20
	// maxDelivered bounds the octets that Link.Deliver has queued.
	maxDelivered = 64 << 20
	// maxAccepts bounds the connections that wait for Server.Accept, and the
	// streams of a connection that wait for Connection.AcceptStream.
	maxAccepts = 1024
	// maxUnaccepted bounds the octets of a shard that wait in streams which have ended
	// before anybody accepted them.
	maxUnaccepted = 16 << 20
	// graceNs is how long an account's link without a socket is kept.
	graceNs = int64(90e9)
)

// Config is what an Engine is made of. The zero value works.
type Config struct {
	// Loops is how many event loops share the work. Zero means one a core.
	Loops int
	// CPUs are the processors that the loops run on, one for each, by their numbers
	// (affinity.Allowed tells those of the process): then two busy loops never wait for each
	// other on one while another idles, as they do for milliseconds where the system places
	// them. Best each loop, of other processes too, has one of its own; nothing else keeps off
	// it, and GOMAXPROCS has to be no less than the loops. Processes that a Handler starts run
	// there, too. Empty leaves it to the system. For Linux, without StdNet: New fails elsewhere.
	CPUs []int
	// StdNet uses package net instead of gnet: slower, on every platform.
	StdNet bool
	// Logger hears of links that come and go and of refused authentication, never of
	// single packets. Nil means silence.
	Logger *slog.Logger
	// Ledger makes incoming money durable before it is fulfilled. With several Loops
	// it is called by several goroutines at once. Nil means that money is fulfilled
	// at once.
	Ledger Ledger
	// Reserve is how many connections, of one stream each and spread evenly over the loops,
	// New makes memory ready for while they are awake: about 1.1 KB each, and 5 MiB a loop,
	// which stay when they sleep. As they come no loop waits for the system to find and clear
	// it, which may cost more than opening them. New takes it all at once, some hundred
	// connections in a millisecond; where there is less memory than that the system may end
	// the process. Zero means none beforehand, and Loops × Machine.MaxConnections is the
	// most. It does nothing with Machine.Memory, Awake or Asleep, nor elsewhere than on Linux
	// on amd64 and arm64.
	Reserve int
	// Machine bounds each shard's protocol machine. The engine fills in Shard, Directory,
	// Seed and HashSeed; Memory, Awake and Asleep unless one of them is set, which several
	// loops then use at once; and Ledger when there is one. Decide, and Ledger without a
	// Config.Ledger, need a Handler that answers and commits.
	Machine stream.Config
}

func (c *Config) fill() error {
	if c.Loops < 0 || c.Loops > 1024 {
		return fmt.Errorf("%w: Loops %d is not within 0 and 1024", ErrConfig, c.Loops)
	}
	if c.Loops == 0 {
		c.Loops = runtime.GOMAXPROCS(0)
	}
	switch {
	case len(c.CPUs) == 0:
	case c.StdNet:
		return fmt.Errorf("%w: CPUs: StdNet's loops are not bound to processors", ErrConfig)
	case len(c.CPUs) != c.Loops:
		return fmt.Errorf("%w: %d CPUs for %d Loops", ErrConfig, len(c.CPUs), c.Loops)
	}
	most := c.Machine.MaxConnections
	if most == 0 {
		most = stream.DefaultMaxConnections
	}
	if c.Reserve < 0 || c.reservePerLoop() > most {
		return fmt.Errorf("%w: Reserve %d is not within 0 and %d for each of %d loops", ErrConfig, c.Reserve, most, c.Loops)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// reservePerLoop is each loop's part of Reserve, rounded up.
func (c *Config) reservePerLoop() int {
	n := c.Reserve / c.Loops
	if c.Reserve%c.Loops > 0 {
		n++
	}
	return n
}

// ListenConfig says who may come in and what they are told.
type ListenConfig struct {
	// Address is our own ILP address. Required. An account has the child address
	// Address + "." + account, which it is told when it asks (peer.config, IL-RFC 0031).
	Address string
	// AssetCode and AssetScale are the units of every account: an amount of 1 is
	// 10^-AssetScale of the asset (IL-RFC 0031).
	AssetCode  string
	AssetScale uint8

	// Accounts judges credentials: it answers with the name of the account, or
	// with an error, and then the peer is refused. It runs on many goroutines.
	// One of Accounts, Tokens and Open is required.
	Accounts func(username, token string) (account string, err error)
	// Tokens are the tokens by username, which is the account's name. They are
	// compared in constant time.
	Tokens map[string]string
	// Open takes anybody: the account is named by the username, or if there is
	// none by a hash of the token.
	Open bool

	// Echo answers echo requests to Address (package echo).
	Echo bool
	// Window bounds the prepares in flight on one link. Zero means as many as its
	// paths hold without queues: at least 1024, at most 65,536.
	Window int
	// MaxAccounts bounds the accounts that have links, or had some in the last 90 s.
	// Past it further accounts are refused. Zero means 65,536.
	MaxAccounts int
	// MaxLinksPerAccount bounds the links of one account. Zero means 64.
	MaxLinksPerAccount int
	// MaxLinks bounds all links. Zero means 16,384.
	MaxLinks int
	// MaxHandshakes bounds the sockets that are not authenticated yet: when it is
	// reached the oldest gives way. Zero means 256.
	MaxHandshakes int
	// HandshakeTimeout bounds the time until a socket is authenticated. Accounts
	// should answer within it. Zero means 10 s.
	HandshakeTimeout time.Duration
	// AllowedPaths are the paths of the URL that are answered. Empty means every
	// path.
	AllowedPaths []string
}

// LinkConfig tunes a dialed link. The zero value asks the peer for our address.
type LinkConfig struct {
	// Address is our ILP address on the link. Empty asks the peer (peer.config, IL-RFC 0031).
	Address string
	// AssetCode and AssetScale are the units of the link if Address is given: an
	// amount of 1 is 10^-AssetScale of the asset.
	AssetCode  string
	AssetScale uint8
	// Echo answers echo requests to Address (package echo).
	Echo bool
	// Window bounds the prepares in flight. Zero means as many as the paths hold
	// without queues: at least 1024, at most 65,536.
	Window int
	// Loop is the number of the event loop, from 1; zero or less spreads links.
	Loop int
	// NoReconnect leaves a lost link down.
	NoReconnect bool
	// Account names who is at the other end: links with the same name serve
	// each other's connections. Empty means the URL.
	Account string
}

// AttachConfig describes a link that is not BTP.
type AttachConfig struct {
	// Address is our ILP address on the link. Empty asks the peer (peer.config, IL-RFC 0031).
	Address string
	// AssetCode and AssetScale are the units of the link: an amount of 1 is
	// 10^-AssetScale of the asset.
	AssetCode  string
	AssetScale uint8
	// Child is the peer's address, answered when it asks. Empty refuses.
	Child string
	// Echo answers echo requests to Address (package echo).
	Echo bool
	// Window bounds the prepares in flight. Zero means as many as the paths hold
	// without queues: at least 1024, at most 65,536.
	Window int
	// Loop is the number of the event loop, from 1; zero or less spreads links.
	Loop int
	// Account is as in LinkConfig; empty means an account of its own.
	Account string
}

// ServerConfig tunes a server. The zero value works.
type ServerConfig struct {
	// Secret is the server's secret of 32 octets, from which credentials are
	// derived; it is copied. Nil means a random one: credentials then end with the
	// process.
	Secret []byte
	// Tokens is how address tokens are made and read. Nil means stream.NewTokens
	// of Secret, the form of the reference library since 2.5.
	Tokens stream.TokenScheme
	// Options are the settings of every connection. While ReceiveMax is zero, a stream
	// takes money only once it is allowed some (SetReceiveMax, ReceiveTotal).
	Options stream.Options
	// ShouldFulfill decides about incoming money, on many goroutines at once. Nil
	// accepts all of it.
	ShouldFulfill ShouldFulfill
	// Expiry says when each packet expires. Nil means Options.Expiry.
	Expiry stream.ExpiryFunc
	// Handler takes the events of the server's connections on their loop. Nil
	// means that connections wait for Server.Accept.
	Handler Handler
}

// ConnectConfig tunes connections that are opened from this side.
type ConnectConfig struct {
	// Options are the settings of the connection.
	Options stream.Options
	// ShouldFulfill decides about incoming money. Nil accepts all of it.
	ShouldFulfill ShouldFulfill
	// Expiry says when each packet expires. Nil means Options.Expiry.
	Expiry stream.ExpiryFunc
	// Handler takes the events of connections that Link.ConnectOnLoop opens;
	// Link.Connect wants nil.
	Handler Handler
}
