package ws

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// The close codes in use here (RFC 6455 §7.4.1).
const (
	CodeNormal      = 1000
	CodeGoingAway   = 1001
	CodeProtocol    = 1002
	CodeUnsupported = 1003
	CodeNoStatus    = 1005 // never on the wire: a close frame without a code
	CodeInvalid     = 1007
	CodePolicy      = 1008
	CodeTooBig      = 1009
	CodeInternal    = 1011
	CodeTryAgain    = 1013
)

// Error is a violation of RFC 6455, or of this package's limits, by the peer.
// Each is made once, so returning one costs nothing.
type Error struct {
	// Code is the close code to answer with.
	Code uint16
	// Reason says what was wrong, at most MaxReason octets.
	Reason string
}

// Error names the code and the reason.
func (e *Error) Error() string {
	return "ws: " + e.Reason + " (" + strconv.Itoa(int(e.Code)) + ")"
}

// What a peer can do wrong.
var (
	ErrReservedBits = &Error{CodeProtocol, "reserved bits are set"}
	ErrOpcode       = &Error{CodeProtocol, "reserved opcode"}
	ErrMasking      = &Error{CodeProtocol, "frame is masked by the wrong side"}
	ErrControl      = &Error{CodeProtocol, "control frame is fragmented or over 125 octets"}
	ErrLengthForm   = &Error{CodeProtocol, "length is not in its shortest form"}
	ErrContinuation = &Error{CodeProtocol, "continuation without a message"}
	ErrInterleaved  = &Error{CodeProtocol, "message inside a fragmented message"}
	ErrText         = &Error{CodeUnsupported, "text message"}
	ErrMessageSize  = &Error{CodeTooBig, "message is too long"}
	ErrFragments    = &Error{CodeTooBig, "message has too many fragments"}
	ErrCloseBody    = &Error{CodeProtocol, "close frame with an invalid body"}
	ErrCloseReason  = &Error{CodeInvalid, "close reason is not UTF-8"}
)

// ParseClose reads the payload of a close frame: nothing, or a code and a reason
// (RFC 6455 §5.5.1). Without a code it answers CodeNoStatus. The reason is
// borrowed from payload.
func ParseClose(payload []byte) (code uint16, reason []byte, err error) {
	code, reason, bad := parseClose(payload)
	if bad != nil {
		return 0, nil, bad // not a nil pointer in an error
	}
	return code, reason, nil
}

func parseClose(payload []byte) (code uint16, reason []byte, bad *Error) {
	switch len(payload) {
	case 0:
		return CodeNoStatus, nil, nil
	case 1:
		return 0, nil, ErrCloseBody
	}
	code, reason = binary.BigEndian.Uint16(payload), payload[2:]
	if !ValidCode(code) {
		return 0, nil, ErrCloseBody
	}
	if !utf8.Valid(reason) {
		return 0, nil, ErrCloseReason
	}
	return code, reason, nil
}

// ValidCode reports whether a close code may be on the wire: 1000 to 1014 but
// for 1004, 1005 and 1006 (RFC 6455 §7.4.1 and the IANA registry), and 3000 to
// 4999 for libraries and applications (§7.4.2).
func ValidCode(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1014:
		return code < 1004 || code > 1006
	default:
		return code >= 3000 && code <= 4999
	}
}
