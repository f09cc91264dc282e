package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamDataBlocked says that its sender has more data than the stream's limit
// lets through; for information only (IL-RFC 0029, "StreamDataBlocked Frame").
type StreamDataBlocked struct {
	StreamID  uint64
	MaxOffset uint64 // the limit that blocks, in octets
}

// Len is the number of octets that Append writes.
func (f StreamDataBlocked) Len() int {
	return 2 + oer.VarUintLen(f.StreamID) + oer.VarUintLen(f.MaxOffset)
}

// Append appends the frame.
func (f StreamDataBlocked) Append(dst []byte) []byte {
	return appendUints(dst, TypeStreamDataBlocked, f.StreamID, f.MaxOffset)
}

// ParseStreamDataBlocked reads the frame's body. It cannot fail on a body from a
// parsed packet.
func ParseStreamDataBlocked(body []byte) (StreamDataBlocked, error) {
	id, offset, err := parseUints(body)
	if err != nil {
		return StreamDataBlocked{}, err
	}
	return StreamDataBlocked{StreamID: id, MaxOffset: offset}, nil
}
