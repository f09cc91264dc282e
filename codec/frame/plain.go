package frame

import (
	"encoding/binary"
	"math/bits"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Nearly every packet of a payment has one of two shapes: a request with a StreamMoney
// frame, a reply with a StreamMaxMoney frame, and nothing else. These are read
// and written here in one go, without the walk that Parse needs for all others.

// MoneyPacket is a packet whose only frame is a StreamMoney.
type MoneyPacket struct {
	PacketType    ilp.PacketType
	Sequence      uint64
	PrepareAmount ilp.Amount // as in Packet
	Frame         StreamMoney
}

// MaxMoneyPacket is a packet whose only frame is a StreamMaxMoney.
type MaxMoneyPacket struct {
	PacketType    ilp.PacketType
	Sequence      uint64
	PrepareAmount ilp.Amount // as in Packet
	Frame         StreamMaxMoney
}

// Parse reads plaintext if it is a MoneyPacket with nothing behind its frame. Where it
// says false, the function Parse may know more, and p is void; where it says true,
// that reads the same. (It fills p where it is: results of this size would be copied.)
func (p *MoneyPacket) Parse(plaintext []byte) bool {
	b := plaintext
	at, ok := parsePlain(b, TypeStreamMoney, &p.PacketType, &p.Sequence, &p.PrepareAmount)
	if !ok {
		return false
	}
	if p.Frame.StreamID, at = uintAt(b, at); at == 0 {
		return false
	}
	p.Frame.Shares, at = uintAt(b, at)
	return at == len(b)
}

// Parse reads plaintext if it is a MaxMoneyPacket, as MoneyPacket's does.
func (p *MaxMoneyPacket) Parse(plaintext []byte) bool {
	b := plaintext
	at, ok := parsePlain(b, TypeStreamMaxMoney, &p.PacketType, &p.Sequence, &p.PrepareAmount)
	if !ok {
		return false
	}
	if p.Frame.StreamID, at = uintAt(b, at); at == 0 {
		return false
	}
	limit, at := uintAt(b, at)
	if at == 0 {
		return false
	}
	total, at := uintAt(b, at)
	p.Frame.ReceiveMax, p.Frame.TotalReceived = ilp.Amount(limit), ilp.Amount(total)
	return at == len(b)
}

// plainMin is the length of the shortest plain packet: version, type, two integers, the
// count, the head of the frame, two integers.
const plainMin = 2 + 2*2 + 2 + 2 + 2*2

// parsePlain reads what precedes the body of the only frame, which must be of type t
// and end with b. It returns where the body begins.
func parsePlain(b []byte, t Type, pt *ilp.PacketType, sequence *uint64, amount *ilp.Amount) (at int, ok bool) {
	if len(b) < plainMin || b[0] != Version {
		return 0, false
	}
	*pt = ilp.PacketType(b[1])
	// Behind sequence and amount come eight octets at least.
	n := uint(b[2])
	if n-1 > 7 {
		return 0, false
	}
	*sequence = binary.BigEndian.Uint64(b[3:11]) >> (-(8 * n) & 63)
	at = 3 + int(n)
	n = uint(b[at])
	if n-1 > 7 || at+9+int(n) > len(b) {
		return 0, false
	}
	*amount = ilp.Amount(binary.BigEndian.Uint64(b[at+1:at+9]) >> (-(8 * n) & 63))
	at += 1 + int(n)
	// Count 1 in one octet, the frame's type, a length of one octet that reaches the end.
	head := binary.BigEndian.Uint32(b[at : at+4])
	at += 4
	return at, head == 0x01010000|uint32(t)<<8|uint32(len(b)-at) && len(b)-at < 0x80
}

// uintAt reads the variable-length integer at b[at:] and the offset behind it, 0 if
// there is none of one to eight octets. What precedes it has at least seven octets,
// so that the eight that it ends with can be loaded at once.
func uintAt(b []byte, at int) (v uint64, next int) {
	if uint(at) >= uint(len(b)) {
		return 0, 0
	}
	n := uint(b[at])
	next = at + 1 + int(n)
	if n-1 > 7 || next > len(b) || next < 8 {
		return 0, 0
	}
	above := -(8 * n) & 63 // bits of what precedes it
	return binary.BigEndian.Uint64(b[next-8:next]) << above >> above, next
}

// plainRoom is more than a plain packet takes, with what the stores of putUint
// reach beyond it.
const plainRoom = 2 + 2*9 + 4 + 3*9 + 8

// Append appends the packet.
func (p *MoneyPacket) Append(dst []byte) []byte {
	dst, b := plainSpace(dst)
	at := putPlainHead(b, p.PacketType, p.Sequence, p.PrepareAmount)
	b[at] = byte(TypeStreamMoney)
	body := at + 2
	end := putUint(b, putUint(b, body, p.Frame.StreamID), p.Frame.Shares)
	b[at+1] = byte(end - body)
	return dst[:len(dst)+end]
}

// Append appends the packet.
func (p *MaxMoneyPacket) Append(dst []byte) []byte {
	dst, b := plainSpace(dst)
	at := putPlainHead(b, p.PacketType, p.Sequence, p.PrepareAmount)
	b[at] = byte(TypeStreamMaxMoney)
	body := at + 2
	end := putUint(b, putUint(b, putUint(b, body, p.Frame.StreamID), uint64(p.Frame.ReceiveMax)), uint64(p.Frame.TotalReceived))
	b[at+1] = byte(end - body)
	return dst[:len(dst)+end]
}

// plainSpace is plainRoom octets behind dst, which grows if it must.
func plainSpace(dst []byte) ([]byte, *[plainRoom]byte) {
	if cap(dst)-len(dst) < plainRoom {
		dst = append(dst, make([]byte, plainRoom)...)[:len(dst)]
	}
	return dst, (*[plainRoom]byte)(dst[len(dst) : len(dst)+plainRoom])
}

func putPlainHead(b *[plainRoom]byte, t ilp.PacketType, sequence uint64, amount ilp.Amount) int {
	b[0], b[1] = Version, byte(t)
	at := putUint(b, putUint(b, 2, sequence), uint64(amount))
	b[at], b[at+1] = 1, 1
	return at + 2
}

// putUint writes what oer.AppendVarUint does at b[at:], and up to seven octets more
// that the next field overwrites.
func putUint(b *[plainRoom]byte, at int, v uint64) int {
	n := uint(bits.Len64(v|1)+7) / 8
	b[at] = byte(n)
	binary.BigEndian.PutUint64(b[at+1:at+9], v<<(-(8*n)&63))
	return at + 1 + int(n)
}
