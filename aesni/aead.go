package aesni

import (
	"crypto/cipher"
	"errors"
	"slices"
)

// AEAD is AES-256-GCM of the tier in use as a cipher.AEAD, so that tools made for that
// can test it: nonces of 12 octets, the tag behind the ciphertext, no limit of its own on
// lengths. Additional data, which STREAM has none of, goes through the standard library.
// It may be used by many goroutines at once.
type AEAD struct {
	box Box
	std cipher.AEAD
}

var (
	_ cipher.AEAD = (*AEAD)(nil)

	errOpen = errors.New("aesni: message authentication failed")
)

// NewAEAD expands key, which must be 32 octets, or returns ErrKeyLength. The key is
// borrowed until return.
func NewAEAD(key []byte) (*AEAD, error) { return newAEAD(key, chosen.gcm) }

func newAEAD(key []byte, tier gcmTier) (*AEAD, error) {
	box, err := newBox(key, tier)
	if err != nil {
		return nil, err
	}
	std, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return &AEAD{*box, std}, nil
}

// NonceSize is 12.
func (a *AEAD) NonceSize() int { return ivLen }

// Overhead is 16, the length of the tag.
func (a *AEAD) Overhead() int { return tagLen }

// Seal implements cipher.AEAD. plaintext may be dst[len(dst):].
func (a *AEAD) Seal(dst, nonce, plaintext, additionalData []byte) []byte {
	if a.box.tier == gcmStdlib || len(additionalData) > 0 || len(nonce) != ivLen {
		return a.std.Seal(dst, nonce, plaintext, additionalData)
	}
	// Our envelopes have the tag in front: by way of one of them.
	n := len(plaintext)
	envelope := make([]byte, n+Overhead)
	seal(a.box.tier, a.box.keys, (*[12]byte)(nonce), envelope, plaintext)
	dst = slices.Grow(dst, n+tagLen)
	return append(append(dst, envelope[Overhead:]...), envelope[ivLen:Overhead]...)
}

// Open implements cipher.AEAD. ciphertext may be dst[len(dst):]. Our own tiers write
// nothing unless the tag is right; the standard library, which does what has additional
// data, clears what it would have written to.
func (a *AEAD) Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error) {
	if a.box.tier == gcmStdlib || len(additionalData) > 0 || len(nonce) != ivLen {
		return a.std.Open(dst, nonce, ciphertext, additionalData)
	}
	n := len(ciphertext) - tagLen
	if n < 0 {
		return nil, errOpen
	}
	envelope := make([]byte, 0, n+Overhead)
	envelope = append(append(append(envelope, nonce...), ciphertext[n:]...), ciphertext[:n]...)
	start := len(dst)
	dst = slices.Grow(dst, n)[:start+n]
	if !open(a.box.tier, a.box.keys, dst[start:], envelope) {
		return nil, errOpen
	}
	return dst, nil
}
