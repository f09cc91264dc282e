package aesni

import (
	"crypto/cipher"
	"errors"
	"slices"
)

// ErrKeyLength refuses a key that is not 32 octets long.
var ErrKeyLength = errors.New("aesni: AES-256 key must be 32 octets")

// Box is one AES-256-GCM key used as it is, without derivation: a server keeps
// one for its address tokens. It has no state but the key, so that many
// goroutines may use it at once.
type Box struct {
	tier gcmTier
	keys *block
	aead cipher.AEAD // of the standard library's tier
}

// NewBox expands key, which must be 32 octets, or returns ErrKeyLength. The
// key is borrowed until return.
func NewBox(key []byte) (*Box, error) { return newBox(key, chosen.gcm) }

func newBox(key []byte, tier gcmTier) (*Box, error) {
	if len(key) != 32 {
		return nil, ErrKeyLength
	}
	if tier != gcmStdlib {
		b := &Box{tier: tier, keys: new(block)}
		expand((*[32]byte)(key), b.keys)
		return b, nil
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead}, nil
}

// Seal appends the envelope of text under iv to dst: iv | tag | ciphertext,
// len(text)+Overhead octets. The iv must be new to this key. Text must not
// overlap the room behind dst. It allocates only if dst must grow.
func (b *Box) Seal(dst []byte, iv *[12]byte, text []byte) []byte {
	start, n := len(dst), len(text)
	dst = slices.Grow(dst, n+Overhead)[:start+n+Overhead]
	envelope := dst[start:]
	if b.tier != gcmStdlib {
		seal(b.tier, b.keys, iv, envelope, text)
		return dst
	}
	copy(envelope, iv[:])
	b.aead.Seal(envelope[ivLen:ivLen], envelope[:ivLen], text, nil)
	// iv | ciphertext | tag so far, and stateless, so the tag moves in place.
	var tag [tagLen]byte
	copy(tag[:], envelope[ivLen+n:])
	copy(envelope[Overhead:], envelope[ivLen:ivLen+n])
	copy(envelope[ivLen:], tag[:])
	return dst
}

// Open appends the plaintext of envelope to dst and reports whether it is
// genuine; if not, dst comes back at its old length with nothing of the
// plaintext behind it (zeros, or what was there). The envelope is never modified, and must not overlap the
// room behind dst. While it works Open needs room for 16 octets more than the
// plaintext: it allocates only if dst has less than len(envelope)-12 to spare.
func (b *Box) Open(dst, envelope []byte) ([]byte, bool) {
	start, n := len(dst), len(envelope)-Overhead
	if n < 0 {
		return dst, false
	}
	dst = slices.Grow(dst, n+tagLen)
	if b.tier != gcmStdlib {
		if !open(b.tier, b.keys, dst[start:start+n], envelope) {
			return dst, false
		}
		return dst[:start+n], true
	}
	sealed := dst[start : start+n+tagLen]
	copy(sealed, envelope[Overhead:])
	copy(sealed[n:], envelope[ivLen:Overhead])
	if _, err := b.aead.Open(sealed[:0], envelope[:ivLen], sealed, nil); err != nil {
		clear(sealed)
		return dst[:start], false
	}
	return dst[:start+n], true
}
