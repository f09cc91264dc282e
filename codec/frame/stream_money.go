package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamMoney gives a stream its part of the packet's amount: Shares out of the
// sum of all shares in the packet (IL-RFC 0029, "StreamMoney Frame").
type StreamMoney struct {
	StreamID uint64
	Shares   uint64
}

// Len is the number of octets that Append writes.
func (f StreamMoney) Len() int {
	return 2 + oer.VarUintLen(f.StreamID) + oer.VarUintLen(f.Shares)
}

// Append appends the frame.
func (f StreamMoney) Append(dst []byte) []byte {
	return appendUints(dst, TypeStreamMoney, f.StreamID, f.Shares)
}

// ParseStreamMoney reads the frame's body. It cannot fail on a body from a parsed
// packet.
func ParseStreamMoney(body []byte) (StreamMoney, error) {
	id, shares, err := parseUints(body)
	if err != nil {
		return StreamMoney{}, err
	}
	return StreamMoney{StreamID: id, Shares: shares}, nil
}
