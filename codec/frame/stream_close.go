package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamClose ends a stream, in both directions (IL-RFC 0029, "StreamClose
// Frame").
type StreamClose struct {
	StreamID uint64
	Code     ErrorCode
	Message  []byte // UTF-8, for people; borrowed
}

// Len is the number of octets that Append writes.
func (f StreamClose) Len() int { return frameLen(f.bodyLen()) }

func (f StreamClose) bodyLen() int {
	return oer.VarUintLen(f.StreamID) + 1 + varLen(len(f.Message))
}

// Append appends the frame.
func (f StreamClose) Append(dst []byte) []byte {
	dst = appendHead(dst, TypeStreamClose, f.bodyLen())
	dst = oer.AppendVarUint(dst, f.StreamID)
	dst = append(dst, byte(f.Code))
	return oer.AppendVarOctets(dst, f.Message)
}

// ParseStreamClose reads the frame's body. It cannot fail on a body from a parsed
// packet. Message points into the body.
func ParseStreamClose(body []byte) (StreamClose, error) {
	id, at, err := oer.VarUint(body, 0)
	if err != nil {
		return StreamClose{}, err
	}
	code, at, err := uint8At(body, at)
	if err != nil {
		return StreamClose{}, err
	}
	message, _, err := oer.VarOctets(body, at)
	if err != nil {
		return StreamClose{}, err
	}
	return StreamClose{StreamID: id, Code: ErrorCode(code), Message: message}, nil
}
