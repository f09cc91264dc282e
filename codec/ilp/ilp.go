package ilp

import (
	"crypto/sha256"
	"errors"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// Amount is a quantity of the asset of the link that a packet travels on, in
// that link's smallest unit (IL-RFC 0027, "Prepare").
type Amount uint64

// PacketType is the first octet of an ILP packet.
type PacketType uint8

// The packet types of ILPv4 (IL-RFC 0027, "Packet types").
const (
	TypePrepare PacketType = 12
	TypeFulfill PacketType = 13
	TypeReject  PacketType = 14
)

// String is the name of the type, for people.
func (t PacketType) String() string {
	switch t {
	case TypePrepare:
		return "Prepare"
	case TypeFulfill:
		return "Fulfill"
	case TypeReject:
		return "Reject"
	}
	return "invalid"
}

// Bounds of IL-RFC 0027, in octets.
const (
	MaxData    = 32767 // data of any packet
	MaxAddress = 1023  // an ILP address
	MaxMessage = 8191  // message of a Reject, on output

	// The reference library fills a Prepare that carries money and data to one
	// octet more than it may have, so that much is accepted.
	maxDataIn = MaxData + 1

	// The largest packets that can be written: every field at its bound.
	MaxPrepareLen = 33857
	MaxFulfillLen = 32806
	MaxRejectLen  = 41997
)

// What may be wrong with a packet. ErrTruncated and ErrLength are those of
// package oer.
var (
	ErrTruncated     = oer.ErrTruncated
	ErrLength        = oer.ErrLength
	ErrType          = errors.New("ilp: not the expected packet type")
	ErrTimestamp     = errors.New("ilp: expiry is not a date")
	ErrAddress       = errors.New("ilp: invalid address")
	ErrDataLength    = errors.New("ilp: data over 32767 octets")
	ErrMessageLength = errors.New("ilp: message over 8191 octets")
	ErrCode          = errors.New("ilp: invalid error code")
)

// The fulfillment of every packet of the peer protocols (ILDCP, routing) is 32
// zero octets, and PeerCondition is its SHA-256 (IL-RFC 0031). Neither may be
// changed.
var (
	PeerFulfillment [32]byte
	PeerCondition   = sha256.Sum256(PeerFulfillment[:])
)

// PeekType is the type octet of b, or 0 if b is empty. It checks nothing else;
// an unknown type is returned as it stands.
func PeekType(b []byte) PacketType {
	if len(b) == 0 {
		return 0
	}
	return PacketType(b[0])
}

// contents checks type and envelope of a packet and returns what the envelope
// holds. Octets behind it are ignored (IL-RFC 0027, "Packet format").
func contents(b []byte, t PacketType) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrTruncated
	}
	if PacketType(b[0]) != t {
		return nil, ErrType
	}
	n, at, err := oer.Length(b, 1)
	if err != nil {
		return nil, err
	}
	return b[at : at+n], nil
}

// envelopeLen is the length of a packet whose contents have n octets.
func envelopeLen(n int) int { return 1 + oer.LengthLen(n) + n }

// varLen is the length of a variable-length octet string of n octets.
func varLen(n int) int { return oer.LengthLen(n) + n }

// extend makes room for n more octets behind dst and returns both the longer
// slice and the room.
func extend(dst []byte, n int) (out, room []byte) {
	at := len(dst)
	if cap(dst)-at >= n {
		dst = dst[:at+n]
	} else {
		dst = append(dst, make([]byte, n)...)
	}
	return dst, dst[at:]
}
