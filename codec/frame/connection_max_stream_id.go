package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionMaxStreamID tells the highest stream id that the sender of
// the frame will accept (IL-RFC 0029, "ConnectionMaxStreamId Frame"). It limits
// ids, not streams: 20 lets each side have ten.
type ConnectionMaxStreamID struct {
	MaxStreamID uint64
}

// Len is the number of octets that Append writes.
func (f ConnectionMaxStreamID) Len() int { return 2 + oer.VarUintLen(f.MaxStreamID) }

// Append appends the frame.
func (f ConnectionMaxStreamID) Append(dst []byte) []byte {
	return appendUint(dst, TypeConnectionMaxStreamID, f.MaxStreamID)
}

// ParseConnectionMaxStreamID reads the frame's body. It cannot fail on a body from
// a parsed packet.
func ParseConnectionMaxStreamID(body []byte) (ConnectionMaxStreamID, error) {
	v, _, err := oer.VarUint(body, 0)
	if err != nil {
		return ConnectionMaxStreamID{}, err
	}
	return ConnectionMaxStreamID{MaxStreamID: v}, nil
}
