package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionClose ends the connection (IL-RFC 0029, "ConnectionClose Frame").
type ConnectionClose struct {
	Code    ErrorCode
	Message []byte // UTF-8, for people; borrowed
}

// Len is the number of octets that Append writes.
func (f ConnectionClose) Len() int { return frameLen(1 + varLen(len(f.Message))) }

// Append appends the frame.
func (f ConnectionClose) Append(dst []byte) []byte {
	dst = appendHead(dst, TypeConnectionClose, 1+varLen(len(f.Message)))
	dst = append(dst, byte(f.Code))
	return oer.AppendVarOctets(dst, f.Message)
}

// ParseConnectionClose reads the frame's body. It cannot fail on a body from a
// parsed packet. Message points into the body.
func ParseConnectionClose(body []byte) (ConnectionClose, error) {
	code, at, err := uint8At(body, 0)
	if err != nil {
		return ConnectionClose{}, err
	}
	message, _, err := oer.VarOctets(body, at)
	if err != nil {
		return ConnectionClose{}, err
	}
	return ConnectionClose{Code: ErrorCode(code), Message: message}, nil
}
