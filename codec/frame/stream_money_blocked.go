package frame

import (
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// StreamMoneyBlocked says that a stream has more to send than its receiver will
// take, in the units of the sender of the frame; for information only (IL-RFC
// 0029, "StreamMoneyBlocked Frame").
type StreamMoneyBlocked struct {
	StreamID  uint64
	SendMax   ilp.Amount // total it would send; 2^64-1 is no limit
	TotalSent ilp.Amount
}

// Len is the number of octets that Append writes.
func (f StreamMoneyBlocked) Len() int { return 2 + f.bodyLen() }

func (f StreamMoneyBlocked) bodyLen() int {
	return oer.VarUintLen(f.StreamID) + oer.VarUintLen(uint64(f.SendMax)) + oer.VarUintLen(uint64(f.TotalSent))
}

// Append appends the frame.
func (f StreamMoneyBlocked) Append(dst []byte) []byte {
	dst = append(dst, byte(TypeStreamMoneyBlocked), byte(f.bodyLen()))
	dst = oer.AppendVarUint(dst, f.StreamID)
	dst = oer.AppendVarUint(dst, uint64(f.SendMax))
	return oer.AppendVarUint(dst, uint64(f.TotalSent))
}

// ParseStreamMoneyBlocked reads the frame's body. It cannot fail on a body from a
// parsed packet. A SendMax of more than 64 bits reads as 2^64-1.
func ParseStreamMoneyBlocked(body []byte) (StreamMoneyBlocked, error) {
	id, at, err := oer.VarUint(body, 0)
	if err != nil {
		return StreamMoneyBlocked{}, err
	}
	limit, at, err := oer.VarUintSaturating(body, at)
	if err != nil {
		return StreamMoneyBlocked{}, err
	}
	total, _, err := oer.VarUint(body, at)
	if err != nil {
		return StreamMoneyBlocked{}, err
	}
	return StreamMoneyBlocked{StreamID: id, SendMax: ilp.Amount(limit), TotalSent: ilp.Amount(total)}, nil
}
