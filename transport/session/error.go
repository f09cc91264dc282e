package session

import (
	"errors"
	"fmt"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// Why a session ends, besides *ws.Error, *CloseError and *RefusedError.
var (
	// ErrUnreadable says that the peer sent a BTP packet that cannot be read, or
	// of an unknown type.
	ErrUnreadable = errors.New("session: unreadable BTP packet")
	// ErrNotAuth says that the peer's first packet was none that can be answered
	// and not the auth Message either.
	ErrNotAuth = errors.New("session: first packet was not an auth message")
	// ErrRefused says that this side refused the peer's credentials.
	ErrRefused = errors.New("session: credentials refused")
	// ErrControlFlood says that the peer sent too many control frames.
	ErrControlFlood = errors.New("session: too many control frames")
	// ErrInternal says that something went wrong on this side.
	ErrInternal = errors.New("session: internal error")
	// ErrDead says that nothing came from the peer for too long.
	ErrDead = errors.New("session: peer is silent")
)

// CloseError says that the peer closed the session.
type CloseError struct {
	// Code is the WebSocket close code, ws.CodeNoStatus if it gave none.
	Code   uint16
	Reason string
}

// Error names the code and the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("session: closed by the peer (%d)", e.Code)
	}
	return fmt.Sprintf("session: closed by the peer (%d): %s", e.Code, e.Reason)
}

// RefusedError says that the peer answered our credentials with a BTP Error.
type RefusedError struct {
	Code ilp.Code
	Name string
	Data string // cut at 256 octets
}

// Error names the code, the name and the data.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("session: credentials refused by the peer: %s %s: %s", e.Code, e.Name, e.Data)
}

// closeCode is what to tell the peer when the session ends for err.
func closeCode(err error) (code uint16, reason string) {
	var bad *ws.Error
	switch {
	case err == nil:
		return ws.CodeNormal, ""
	case errors.As(err, &bad):
		return bad.Code, bad.Reason
	case errors.Is(err, ErrUnreadable), errors.Is(err, ErrNotAuth):
		return ws.CodeProtocol, "unreadable BTP packet"
	case errors.Is(err, ErrControlFlood):
		return ws.CodePolicy, "too many control frames"
	case errors.Is(err, ErrInternal):
		return ws.CodeInternal, "internal error"
	case errors.Is(err, ErrRefused):
		return ws.CodeNoStatus, ""
	case errors.Is(err, ErrDead):
		return ws.CodeGoingAway, "no sign of life"
	}
	return ws.CodeGoingAway, ""
}
