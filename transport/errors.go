package transport

import (
	"errors"

	"github.com/millrace-ilp/millrace/transport/session"
)

// Why a link ends, or does not begin. The reason of a LinkDown may also be a
// *ws.Error (the peer broke RFC 6455), a *session.CloseError (the peer closed), one
// of package session's errors, io.EOF or an error of the socket, or what
// Link.Close was given.
var (
	// ErrClosed is the reason of a link that was closed without one.
	ErrClosed = errors.New("transport: link closed")
	// ErrLoopClosed says that the loop is closed or closing.
	ErrLoopClosed = errors.New("transport: loop closed")
	// ErrOutboundLimit says that the peer did not read and the link's output
	// reached LoopConfig.HardCap.
	ErrOutboundLimit = errors.New("transport: peer does not read: too much output waits")
	// ErrStalled says that none of a link's output left for
	// LoopConfig.StallTimeout.
	ErrStalled = errors.New("transport: peer does not read: output has stalled")
	// ErrPanic is the reason of a link that was closed because a Handler panicked
	// while it was using it.
	ErrPanic = errors.New("transport: handler panicked")
	// ErrBackend says that the backend does not exist on this platform.
	ErrBackend = errors.New("transport: this backend is not available on this platform")
	// ErrWSS says that btp+wss URLs are not supported yet.
	ErrWSS = errors.New("transport: btp+wss is not supported yet; put a TLS proxy in front and use btp+ws")
	// ErrURL says that a URL is not of the form btp+ws://user:token@host:port/path.
	ErrURL = errors.New("transport: not a btp+ws URL")
)

// RefusedError says that the peer did not accept our credentials.
type RefusedError = session.RefusedError

// CloseError says that the peer closed the link.
type CloseError = session.CloseError
