package btp

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// ilpEntry is a list of one sub-protocol up to the length of its data: a count
// of 1, the name "ilp", content type 0.
const (
	ilpEntry    = "\x01\x01\x03ilp\x00"
	ilpEntryLen = len(ilpEntry)
	ilpEntryBE  = 0x01_01_03_69_6c_70_00
	ilpEntryLE  = 0x00_70_6c_69_03_01_01
)

// ILPLen is the length of a Message or Response whose only sub-protocol is an
// "ilp" of ilpLen octets.
func ILPLen(ilpLen int) int {
	return headerLen + varLen(ilpEntryLen+varLen(ilpLen))
}

// PutILP writes a Message or Response with one sub-protocol "ilp" into dst, which
// must have exactly ILPLen(ilpLen) octets, and panics if it has fewer. It leaves
// out the ILP packet and returns that region of dst for the caller to fill.
func PutILP(dst []byte, t Type, requestID uint32, ilpLen int) (ilp []byte) {
	_ = dst[headerLen]
	dst[0] = byte(t)
	binary.BigEndian.PutUint32(dst[1:], requestID)
	at := oer.PutLength(dst, headerLen, ilpEntryLen+varLen(ilpLen))
	// The entry and the first octet of the length behind it, in one store.
	binary.BigEndian.PutUint64(dst[at:], ilpEntryBE<<8)
	at = oer.PutLength(dst, at+ilpEntryLen, ilpLen)
	return dst[at : at+ilpLen : at+ilpLen]
}

// ParseILP is Parse and ILP at once for the packets that make up nearly all
// traffic: a Message or Response whose only sub-protocol is "ilp" with content
// type 0. ilp points into b.
//
// If ok is false the packet is something else or broken: ask Parse. If ok is
// true then Parse would have given the same type, request id and ILP packet.
func ParseILP(b []byte) (t Type, requestID uint32, ilp []byte, ok bool) {
	if len(b) < 8 {
		return parseILP(b)
	}
	// Type, request id, and the first three octets of the rest.
	head := binary.BigEndian.Uint64(b)
	n, at := shortLength(uint32(head) & 0xff_ffff)
	if n < ilpEntryLen+3 || n > len(b)-headerLen-at {
		return parseILP(b)
	}
	c := b[headerLen+at:][:n]
	// The entry and the first octet of the length behind it, in one load.
	entry := binary.LittleEndian.Uint64(c)
	m, at := shortLength(uint32(entry>>56)<<16 | uint32(c[8])<<8 | uint32(c[9]))
	if entry&(1<<56-1) != ilpEntryLE || m == 0 || m > n-ilpEntryLen-at {
		return parseILP(b)
	}
	if t = Type(head >> 56); t != TypeMessage && t != TypeResponse {
		return 0, 0, nil, false
	}
	at += ilpEntryLen
	return t, uint32(head >> 24), c[at : at+m : at+m], true
}

// shortLength reads a length of 1 to 65,535 octets and how many octets it takes
// itself, from the three octets that it begins with. It is 0 for any other.
func shortLength(begin uint32) (n, size int) {
	switch {
	case begin < 0x80_0000:
		return int(begin >> 16), 1
	case begin>>16 == 0x82 && begin&0xff00 != 0:
		return int(begin & 0xffff), 3
	case begin>>15 == 0x81<<1|1:
		return int(begin >> 8 & 0xff), 2
	}
	return 0, 0
}

// parseILP is ParseILP for any lengths.
func parseILP(b []byte) (t Type, requestID uint32, ilp []byte, ok bool) {
	if len(b) < headerLen {
		return 0, 0, nil, false
	}
	t = Type(b[0])
	if t != TypeMessage && t != TypeResponse {
		return 0, 0, nil, false
	}
	requestID = binary.BigEndian.Uint32(b[1:])
	n, at, err := oer.Length(b, headerLen)
	if err != nil || n <= ilpEntryLen {
		return 0, 0, nil, false
	}
	c := b[at : at+n]
	// The entry and the first octet of the length behind it, in one load.
	if binary.BigEndian.Uint64(c)>>8 != ilpEntryBE {
		return 0, 0, nil, false
	}
	n, at, err = oer.Length(c, ilpEntryLen)
	if err != nil {
		return 0, 0, nil, false
	}
	return t, requestID, c[at : at+n : at+n], true
}
