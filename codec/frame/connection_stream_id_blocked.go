package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionStreamIDBlocked says that its sender would open a stream above
// the highest allowed id; for information only (IL-RFC 0029,
// "ConnectionStreamIdBlocked Frame").
type ConnectionStreamIDBlocked struct {
	MaxStreamID uint64 // the limit that blocks
}

// Len is the number of octets that Append writes.
func (f ConnectionStreamIDBlocked) Len() int { return 2 + oer.VarUintLen(f.MaxStreamID) }

// Append appends the frame.
func (f ConnectionStreamIDBlocked) Append(dst []byte) []byte {
	return appendUint(dst, TypeConnectionStreamIDBlocked, f.MaxStreamID)
}

// ParseConnectionStreamIDBlocked reads the frame's body. It cannot fail on a body from
// a parsed packet.
func ParseConnectionStreamIDBlocked(body []byte) (ConnectionStreamIDBlocked, error) {
	v, _, err := oer.VarUint(body, 0)
	if err != nil {
		return ConnectionStreamIDBlocked{}, err
	}
	return ConnectionStreamIDBlocked{MaxStreamID: v}, nil
}
