package aesni

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

// Labels of the derivations from a connection's shared secret: the key is
// HMAC-SHA-256(shared secret, label) (IL-RFC 0029, "Encryption" and
// "Fulfillment and Condition Generation"; the packet id is a convention of the
// JavaScript implementation, HMAC(shared secret, label | sequence as 8 octets),
// and the shared secret itself is derived by a server from its own secret).
const (
	LabelEncryption   = "ilp_stream_encryption"
	LabelFulfillment  = "ilp_stream_fulfillment"
	LabelPacketID     = "ilp_stream_packet_id"
	LabelSharedSecret = "ilp_stream_shared_secret"
)

const (
	segmentShift = 8
	segmentSlots = 1 << segmentShift // 256 × 32 octets: 8 KiB a step, and a slot never moves
	segmentMask  = segmentSlots - 1
)

// keyBlock holds the expanded keys of one slot, or nils.
type keyBlock struct {
	aead cipher.AEAD
	mac  hash.Hash // HMAC-SHA-256 under the fulfillment key, reset before each use
}

// Keys is a table of expanded keys by slot. It grows to the highest slot used,
// in steps that never move what is there, so it is bounded by the bound on the
// caller's slots. It is not safe for concurrent use.
type Keys struct {
	segments []*[segmentSlots]keyBlock

	// Octets handed to the standard library go through interfaces, so they
	// escape. These live here, so that an Op on the caller's stack stays there.
	scratch []byte // ciphertext | tag, the standard library's order
	iv      [ivLen]byte
	key     [32]byte // a derived key, wiped after use
	mac     [32]byte
}

// NewKeys returns an empty table.
func NewKeys() *Keys {
	return &Keys{scratch: make([]byte, scratchLen)}
}

// DeriveEncryption derives and expands the slot's encryption key from the
// connection's shared secret, of any length (32 octets are usual). It is
// enough for Open and Seal. What the slot held before, its fulfillment key too,
// is dropped. The secret is borrowed until return.
func (k *Keys) DeriveEncryption(slot uint32, sharedSecret []byte) {
	HMAC(&k.key, sharedSecret, labelEncryption)
	k.expandEncryption(slot, &k.key)
	clear(k.key[:])
}

// DeriveFulfillment derives and expands the slot's fulfillment key, needed for
// Prove. It comes after DeriveEncryption, usually once a packet was opened, and
// leaves the encryption key alone.
func (k *Keys) DeriveFulfillment(slot uint32, sharedSecret []byte) {
	HMAC(&k.key, sharedSecret, labelFulfillment)
	k.expandFulfillment(slot, &k.key)
	clear(k.key[:])
}

// Move makes dst hold the keys of src, and leaves src empty. What dst held
// is dropped. It costs a few words, so keys may be derived into a scratch slot
// and moved once the connection turns out to be real.
func (k *Keys) Move(dst, src uint32) {
	if dst == src {
		return
	}
	from := k.block(src)
	*k.grow(dst) = *from
	*from = keyBlock{}
}

// Wipe empties the slot. The expanded keys of this tier are objects of the
// standard library that cannot be overwritten from outside: they are let go, and
// their memory is cleared when the collector gives it out again.
// Wiping a slot that is empty, or was never used, does nothing.
func (k *Keys) Wipe(slot uint32) {
	s := int(slot >> segmentShift)
	if s < len(k.segments) && k.segments[s] != nil {
		k.segments[s][slot&segmentMask] = keyBlock{}
	}
}

// block returns the slot's keys. A slot that was never used is the caller's
// mistake, not a peer's.
func (k *Keys) block(slot uint32) *keyBlock {
	s := int(slot >> segmentShift)
	if s >= len(k.segments) || k.segments[s] == nil {
		panic("aesni: slot was never given keys")
	}
	return &k.segments[s][slot&segmentMask]
}

// grow returns the slot's keys, and makes room for them first.
func (k *Keys) grow(slot uint32) *keyBlock {
	s := int(slot >> segmentShift)
	for s >= len(k.segments) {
		k.segments = append(k.segments, nil)
	}
	if k.segments[s] == nil {
		k.segments[s] = new([segmentSlots]keyBlock)
	}
	return &k.segments[s][slot&segmentMask]
}

// expandEncryption empties the slot and gives it an AES-256 key.
func (k *Keys) expandEncryption(slot uint32, key *[32]byte) {
	aead, err := newGCM(key[:])
	if err != nil {
		// Only GODEBUG=fips140=only gets here: see the package's doc.
		panic("aesni: encryption key: " + err.Error())
	}
	*k.grow(slot) = keyBlock{aead: aead}
}

// expandFulfillment gives the slot an HMAC key.
func (k *Keys) expandFulfillment(slot uint32, key *[32]byte) {
	mac := hmac.New(sha256.New, key[:])
	mac.Reset() // the first Reset saves the midstates; later ones only load them
	k.grow(slot).mac = mac
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

var (
	labelEncryption  = []byte(LabelEncryption)
	labelFulfillment = []byte(LabelFulfillment)
)
