package engine

import (
	"errors"
	"fmt"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport"
)

// Errors of this package, for errors.Is. Errors of package stream (stream.ErrMaximum,
// stream.ErrStreamIDs and so on) and of package transport are passed on as they are.
var (
	// ErrClosed says that a connection or stream is over. A *CloseError, which
	// says how it ended, is an ErrClosed too.
	ErrClosed = stream.ErrClosed
	// ErrEngineClosed says that the engine is closed, or that the shard was
	// stopped because of a broken invariant (Engine.Err tells).
	ErrEngineClosed = errors.New("engine: engine closed")
	// ErrLinkClosed says that a link or listener is closed for good.
	ErrLinkClosed = errors.New("engine: link closed")
	// ErrServerClosed says that a server takes no connections any more.
	ErrServerClosed = errors.New("engine: server closed")
	// ErrListening says that the link or listener has a server already.
	ErrListening = errors.New("engine: there is a server already")
	// ErrLinkRefused says that the parent did not tell our address (peer.config,
	// IL-RFC 0031).
	ErrLinkRefused = errors.New("engine: the peer did not answer peer.config with an address")
	// ErrNoAddress says that a link has no ILP address, so that nothing can be
	// opened or answered on it.
	ErrNoAddress = stream.ErrNoAddress
	// ErrConnectionExhausted says that a connection ended because it had sent all
	// 2^31 packets that its keys may protect (IL-RFC 0029 §5.1.3): open another.
	ErrConnectionExhausted = errors.New("engine: connection exhausted")
	// ErrUnauthorized is for ListenConfig.Accounts to refuse with.
	ErrUnauthorized = errors.New("engine: unknown account or wrong token")
	// ErrTooManyAccounts says that a listener is at ListenConfig.MaxAccounts. Peers
	// are refused with it; no call returns it.
	ErrTooManyAccounts = errors.New("engine: too many accounts")
	// ErrTooManyLinks says that an account is at ListenConfig.MaxLinksPerAccount. Its
	// further links are closed with it; no call returns it.
	ErrTooManyLinks = errors.New("engine: too many links of one account")
	// ErrConfig is wrapped by every refusal of a configuration of this package.
	ErrConfig = errors.New("engine: bad configuration")
	// ErrWSS says that btp+wss URLs are not supported yet.
	ErrWSS = transport.ErrWSS
	// ErrURL says that a URL is not of the form btp+ws://user:token@host:port/path.
	ErrURL = transport.ErrURL
	// ErrBackend says that the platform has no gnet: set Config.StdNet.
	ErrBackend = transport.ErrBackend
)

// CloseError says how a connection or stream ended.
type CloseError struct {
	// Code is the STREAM error code (IL-RFC 0029 §5.4).
	Code frame.ErrorCode
	// Message is for people; the peer's own words if Remote.
	Message string
	// Remote says that the peer closed it.
	Remote bool

	exhausted bool
}

// Error says it in words.
func (e *CloseError) Error() string {
	who := "here"
	if e.Remote {
		who = "by the peer"
	}
	if e.Message == "" {
		return fmt.Sprintf("engine: closed %s: %v", who, e.Code)
	}
	return fmt.Sprintf("engine: closed %s: %v: %s", who, e.Code, e.Message)
}

// Is makes every CloseError an ErrClosed, and one that tells of used up
// sequences an ErrConnectionExhausted.
func (e *CloseError) Is(target error) bool {
	return target == ErrClosed || target == ErrConnectionExhausted && e.exhausted
}

// UndeliverableError says that what is left to send is so little that nothing of it
// would arrive.
type UndeliverableError struct {
	// Least is the smallest amount, in our units, of which anything would.
	Least stream.Amount
}

// Error says it in words.
func (e *UndeliverableError) Error() string {
	return fmt.Sprintf("engine: nothing would arrive of what is left to send: it takes at least %d", e.Least)
}

// UnsettledError says that all is sent but what may have arrived already: its answers
// were lost, and the receiver does not tell its totals (StreamMaxMoney, IL-RFC 0029
// §5.3.9). It is not sent again, so that it can not be paid twice.
type UnsettledError struct {
	// Amount is how much, in our units.
	Amount stream.Amount
}

// Error says it in words.
func (e *UnsettledError) Error() string {
	return fmt.Sprintf("engine: %d may have arrived or not, and the receiver does not tell", e.Amount)
}

// errNoMoneyEvents: calls that wait for money would wait for ever.
var errNoMoneyEvents = fmt.Errorf("%w: Options.NoMoneyEvents is for a Handler", ErrConfig)
