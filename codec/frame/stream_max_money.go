package frame

import (
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// StreamMaxMoney tells how much a stream will receive and has received, in
// the units of the sender of the frame (IL-RFC 0029, "StreamMaxMoney Frame").
type StreamMaxMoney struct {
	StreamID      uint64
	ReceiveMax    ilp.Amount // total it will receive; 2^64-1 is no limit
	TotalReceived ilp.Amount
}

// Len is the number of octets that Append writes.
func (f StreamMaxMoney) Len() int { return 2 + f.bodyLen() }

func (f StreamMaxMoney) bodyLen() int {
	return oer.VarUintLen(f.StreamID) + oer.VarUintLen(uint64(f.ReceiveMax)) + oer.VarUintLen(uint64(f.TotalReceived))
}

// Append appends the frame.
func (f StreamMaxMoney) Append(dst []byte) []byte {
	dst = append(dst, byte(TypeStreamMaxMoney), byte(f.bodyLen()))
	dst = oer.AppendVarUint(dst, f.StreamID)
	dst = oer.AppendVarUint(dst, uint64(f.ReceiveMax))
	return oer.AppendVarUint(dst, uint64(f.TotalReceived))
}

// ParseStreamMaxMoney reads the frame's body. It cannot fail on a body from a
// parsed packet. A ReceiveMax of more than 64 bits reads as 2^64-1.
func ParseStreamMaxMoney(body []byte) (StreamMaxMoney, error) {
	id, at, err := oer.VarUint(body, 0)
	if err != nil {
		return StreamMaxMoney{}, err
	}
	limit, at, err := oer.VarUintSaturating(body, at)
	if err != nil {
		return StreamMaxMoney{}, err
	}
	total, _, err := oer.VarUint(body, at)
	if err != nil {
		return StreamMaxMoney{}, err
	}
	return StreamMaxMoney{StreamID: id, ReceiveMax: ilp.Amount(limit), TotalReceived: ilp.Amount(total)}, nil
}
