package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// StreamReceipt proves to a third party what a stream has received (IL-RFC 0039).
// Endpoints that do not know it skip it.
type StreamReceipt struct {
	StreamID uint64
	Receipt  []byte // see package receipt; not checked; borrowed
}

// Len is the number of octets that Append writes.
func (f StreamReceipt) Len() int {
	return frameLen(oer.VarUintLen(f.StreamID) + varLen(len(f.Receipt)))
}

// Append appends the frame.
func (f StreamReceipt) Append(dst []byte) []byte {
	dst = appendHead(dst, TypeStreamReceipt, oer.VarUintLen(f.StreamID)+varLen(len(f.Receipt)))
	dst = oer.AppendVarUint(dst, f.StreamID)
	return oer.AppendVarOctets(dst, f.Receipt)
}

// ParseStreamReceipt reads the frame's body. It cannot fail on a body from a
// parsed packet. Receipt points into the body.
func ParseStreamReceipt(body []byte) (StreamReceipt, error) {
	id, at, err := oer.VarUint(body, 0)
	if err != nil {
		return StreamReceipt{}, err
	}
	receipt, _, err := oer.VarOctets(body, at)
	if err != nil {
		return StreamReceipt{}, err
	}
	return StreamReceipt{StreamID: id, Receipt: receipt}, nil
}
