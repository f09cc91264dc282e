package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamMaxData tells up to which offset the sender of the frame will take a
// stream's data (IL-RFC 0029, "StreamMaxData Frame").
type StreamMaxData struct {
	StreamID  uint64
	MaxOffset uint64 // one past the last octet it will take
}

// Len is the number of octets that Append writes.
func (f StreamMaxData) Len() int {
	return 2 + oer.VarUintLen(f.StreamID) + oer.VarUintLen(f.MaxOffset)
}

// Append appends the frame.
func (f StreamMaxData) Append(dst []byte) []byte {
	return appendUints(dst, TypeStreamMaxData, f.StreamID, f.MaxOffset)
}

// ParseStreamMaxData reads the frame's body. It cannot fail on a body from a
// parsed packet.
func ParseStreamMaxData(body []byte) (StreamMaxData, error) {
	id, offset, err := parseUints(body)
	if err != nil {
		return StreamMaxData{}, err
	}
	return StreamMaxData{StreamID: id, MaxOffset: offset}, nil
}
