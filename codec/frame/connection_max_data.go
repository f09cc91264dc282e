package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionMaxData tells how many octets of data, over all streams
// and since the start, the sender of the frame will take (IL-RFC 0029,
// "ConnectionMaxData Frame").
type ConnectionMaxData struct {
	MaxOffset uint64 // total over all streams, in octets
}

// Len is the number of octets that Append writes.
func (f ConnectionMaxData) Len() int { return 2 + oer.VarUintLen(f.MaxOffset) }

// Append appends the frame.
func (f ConnectionMaxData) Append(dst []byte) []byte {
	return appendUint(dst, TypeConnectionMaxData, f.MaxOffset)
}

// ParseConnectionMaxData reads the frame's body. It cannot fail on a body from
// a parsed packet.
func ParseConnectionMaxData(body []byte) (ConnectionMaxData, error) {
	v, _, err := oer.VarUint(body, 0)
	if err != nil {
		return ConnectionMaxData{}, err
	}
	return ConnectionMaxData{MaxOffset: v}, nil
}
