package aesni

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// HMAC sets dst to HMAC-SHA-256 of the parts, one after the other, under key
// (RFC 2104). A key may have any length. It is for what is computed once or
// seldom under a key (derivations, tokens, receipts): it expands the key every
// time, and does not allocate. Key and parts are borrowed until return; dst may
// be part of either.
func HMAC(dst *[32]byte, key []byte, parts ...[]byte) {
	var pad [sha256.BlockSize]byte
	if len(key) > len(pad) {
		short := sha256.Sum256(key)
		copy(pad[:], short[:])
		clear(short[:])
	} else {
		copy(pad[:], key)
	}
	for i := range pad {
		pad[i] ^= 0x36
	}
	// Not crypto/hmac: that makes five heap objects, and its interface would
	// move the caller's octets to the heap too.
	h := sha256.New()
	h.Write(pad[:])
	for _, p := range parts {
		h.Write(p)
	}
	var inner [sha256.Size]byte
	h.Sum(inner[:0])

	for i := range pad {
		pad[i] ^= 0x36 ^ 0x5c
	}
	h.Reset()
	h.Write(pad[:])
	h.Write(inner[:])
	h.Sum(dst[:0])
	clear(pad[:])
}

// Sum256 returns the SHA-256 of b.
func Sum256(b []byte) [32]byte { return sha256.Sum256(b) }

// Equal reports whether a and b are the same octets, in a time that depends on
// their lengths alone. Tags, tokens, fulfillments and conditions are compared
// with it.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// Equal32 is Equal for fulfillments and conditions.
func Equal32(a, b *[32]byte) bool {
	diff := binary.NativeEndian.Uint64(a[:]) ^ binary.NativeEndian.Uint64(b[:])
	diff |= binary.NativeEndian.Uint64(a[8:]) ^ binary.NativeEndian.Uint64(b[8:])
	diff |= binary.NativeEndian.Uint64(a[16:]) ^ binary.NativeEndian.Uint64(b[16:])
	diff |= binary.NativeEndian.Uint64(a[24:]) ^ binary.NativeEndian.Uint64(b[24:])
	return diff == 0
}
