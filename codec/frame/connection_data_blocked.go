package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionDataBlocked says that its sender has more data than the
// connection's limit lets through; for information only (IL-RFC 0029,
// "ConnectionDataBlocked Frame").
type ConnectionDataBlocked struct {
	MaxOffset uint64 // the limit that blocks, in octets
}

// Len is the number of octets that Append writes.
func (f ConnectionDataBlocked) Len() int { return 2 + oer.VarUintLen(f.MaxOffset) }

// Append appends the frame.
func (f ConnectionDataBlocked) Append(dst []byte) []byte {
	return appendUint(dst, TypeConnectionDataBlocked, f.MaxOffset)
}

// ParseConnectionDataBlocked reads the frame's body. It cannot fail on a body from
// a parsed packet.
func ParseConnectionDataBlocked(body []byte) (ConnectionDataBlocked, error) {
	v, _, err := oer.VarUint(body, 0)
	if err != nil {
		return ConnectionDataBlocked{}, err
	}
	return ConnectionDataBlocked{MaxOffset: v}, nil
}
