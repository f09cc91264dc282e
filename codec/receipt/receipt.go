// Package receipt reads and writes STREAM receipts (IL-RFC 0039): 58 octets with
// which a receiver proves to a third party how much one stream has received.
//
//	version (1 octet) · nonce (16) · stream id (1) · total received (8) · HMAC (32)
//
// The HMAC-SHA-256 is over the first 26 octets, keyed with a secret that the
// receiver shares with the verifier. Computing and checking it is the caller's
// part: this package knows only the layout.
package receipt

import (
	"encoding/binary"
	"errors"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// The layout of a receipt, in octets (IL-RFC 0039, "Receipt").
const (
	Len       = 58 // a whole receipt
	SignedLen = 26 // what the MAC is over
	Version   = 1
)

var (
	// ErrLength means that a receipt does not have 58 octets.
	ErrLength = errors.New("receipt: length is not 58")
	// ErrVersion means that a receipt is of a version other than 1.
	ErrVersion = errors.New("receipt: unknown version")
)

// Receipt is a decoded receipt; it holds its own memory.
type Receipt struct {
	Nonce [16]byte // chosen by the verifier
	// StreamID has one octet in a receipt: streams with ids above 255 get none.
	StreamID uint8
	// TotalReceived is the total of the stream so far, in the receiver's units.
	TotalReceived ilp.Amount
	MAC           [32]byte // not checked by this package
}

// AppendUnsigned appends the first SignedLen octets of a receipt. Whoever holds
// the secret appends the HMAC-SHA-256 of those 26 octets to them.
func AppendUnsigned(dst []byte, nonce *[16]byte, streamID uint8, total ilp.Amount) []byte {
	dst = append(dst, Version)
	dst = append(dst, nonce[:]...)
	dst = append(dst, streamID)
	return binary.BigEndian.AppendUint64(dst, uint64(total))
}

// Parse reads a receipt. The error is ErrLength or ErrVersion. It does not check
// the MAC: do that over b[:SignedLen], in constant time, before believing
// anything.
func Parse(b []byte) (Receipt, error) {
	if len(b) != Len {
		return Receipt{}, ErrLength
	}
	if b[0] != Version {
		return Receipt{}, ErrVersion
	}
	return Receipt{
		Nonce:         [16]byte(b[1:]),
		StreamID:      b[17],
		TotalReceived: ilp.Amount(binary.BigEndian.Uint64(b[18:])),
		MAC:           [32]byte(b[SignedLen:]),
	}, nil
}
