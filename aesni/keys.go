package aesni

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"unsafe"
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
	segmentSlots = SegmentSlots
	segmentMask  = segmentSlots - 1

	// SegmentSlots is in how many slots Keys grows and shrinks: 96 KiB at a time. A slot
	// never moves.
	SegmentSlots = 1 << segmentShift
)

// objects are the standard library's for one slot, or nils, where a tier uses it.
type objects struct {
	aead cipher.AEAD
	mac  hash.Hash // HMAC-SHA-256 under the fulfillment key, reset before each use
}

// segment is 256 slots. Its blocks hold no pointers, so that the collector never looks
// at them, and begin at a cache line: memory of that size is whole pages.
type segment struct {
	blocks  *[segmentSlots]block
	objects *[segmentSlots]objects // nil where both tiers are our own
}

// Keys is a table of expanded keys by slot. It grows to the highest slot used,
// in steps that never move what is there, so it is bounded by the bound on the
// caller's slots. It is not safe for concurrent use.
type Keys struct {
	implementation
	segments []segment
	lender   Lender

	// Octets handed to the standard library go through interfaces, so they
	// escape. These live here, so that an Op on the caller's stack stays there.
	scratch []byte // ciphertext | tag, the standard library's order
	iv      [ivLen]byte
	mac     [32]byte
	derived [2][32]byte // keys for encryption and fulfillment, wiped after use
}

// NewKeys returns an empty table.
func NewKeys() *Keys { return newKeys(chosen) }

// Lender is memory from elsewhere than the heap. Lend returns that many zeroed octets that
// begin at a cache line, or nil, and the heap serves. Return takes that back, cleared; it is
// given what is of the heap, too, and leaves it to the collector.
type Lender interface {
	Lend(octets int) []byte
	Return(b []byte)
}

// NewKeysOn is NewKeys with blocks in memory of a lender; nil means the heap.
func NewKeysOn(lender Lender) *Keys {
	k := NewKeys()
	k.lender = lender
	return k
}

func newKeys(use implementation) *Keys {
	k := &Keys{implementation: use}
	if use.gcm == gcmStdlib {
		k.scratch = make([]byte, scratchLen)
	}
	return k
}

// Drop wipes n slots from one on and gives their memory back. Both are multiples of
// SegmentSlots.
func (k *Keys) Drop(from, n uint32) {
	if from%segmentSlots != 0 || n%segmentSlots != 0 {
		panic("aesni: a part of a segment is dropped")
	}
	for s := from >> segmentShift; s < (from+n)>>segmentShift && s < uint32(len(k.segments)); s++ {
		g := &k.segments[s]
		if g.blocks == nil {
			continue
		}
		*g.blocks = [segmentSlots]block{}
		if k.lender != nil {
			k.lender.Return(unsafe.Slice((*byte)(unsafe.Pointer(g.blocks)), unsafe.Sizeof(*g.blocks)))
		}
		*g = segment{}
	}
}

// DeriveEncryption derives and expands the slot's encryption key from the
// connection's shared secret, of any length (32 octets are usual). It is
// enough for Open and Seal. What the slot held before, its fulfillment key too,
// is dropped. The secret is borrowed until return.
func (k *Keys) DeriveEncryption(slot uint32, sharedSecret []byte) {
	if !k.pairs(sharedSecret) {
		HMAC(&k.derived[0], sharedSecret, labelEncryption)
		k.expandEncryption(slot, &k.derived[0])
		clear(k.derived[0][:])
		return
	}
	// The other key is derived beside it, in the time that this one takes.
	hmacPair(&k.derived, sharedSecret, &labelBlocks)
	k.expandEncryption(slot, &k.derived[0])
	b, _ := k.slot(slot)
	*b.derived() = k.derived[1]
	b.has |= hasDerived
	clear(k.derived[:])
}

// DeriveFulfillment derives and expands the slot's fulfillment key, needed for
// Prove. It comes after DeriveEncryption with the same secret, usually once a packet
// was opened, and leaves the encryption key alone.
func (k *Keys) DeriveFulfillment(slot uint32, sharedSecret []byte) {
	key := &k.derived[1]
	if b, _ := k.grow(slot); b.has&hasDerived != 0 {
		*key = *b.derived()
		b.has &^= hasDerived
	} else {
		HMAC(key, sharedSecret, labelFulfillment)
	}
	k.expandFulfillment(slot, key)
	clear(key[:])
}

// pairs says whether both keys of a secret are derived at once.
func (k *Keys) pairs(sharedSecret []byte) bool {
	return k.sha != shaStdlib && len(sharedSecret) <= sha256.BlockSize
}

// Move makes dst hold the keys of src, and leaves src empty. What dst held
// is dropped. It costs a few cache lines, so keys may be derived into a scratch slot
// and moved once the connection turns out to be real.
func (k *Keys) Move(dst, src uint32) {
	if dst == src {
		return
	}
	from, fromObjects := k.slot(src)
	to, toObjects := k.grow(dst)
	*to, *from = *from, block{}
	if toObjects != nil {
		*toObjects, *fromObjects = *fromObjects, objects{}
	}
}

// Wipe empties the slot. Keys of our own tiers are overwritten; those of the standard
// library are objects that cannot be overwritten from outside: they are let go, and
// their memory is cleared when the collector gives it out again.
// Wiping a slot that is empty, or was never used, does nothing.
func (k *Keys) Wipe(slot uint32) {
	s := int(slot >> segmentShift)
	if s >= len(k.segments) || k.segments[s].blocks == nil {
		return
	}
	b, o := k.slot(slot)
	*b = block{}
	if o != nil {
		*o = objects{}
		clear(k.scratch) // the last plaintext went through it
		k.mac = [32]byte{}
	}
}

// slot returns what a slot holds. One that was never used is the caller's
// mistake, not a peer's.
func (k *Keys) slot(slot uint32) (*block, *objects) {
	s := int(slot >> segmentShift)
	if s >= len(k.segments) || k.segments[s].blocks == nil {
		panic("aesni: slot was never given keys")
	}
	g := &k.segments[s]
	if g.objects == nil {
		return &g.blocks[slot&segmentMask], nil
	}
	return &g.blocks[slot&segmentMask], &g.objects[slot&segmentMask]
}

// grow returns the slot, and makes room for it first.
func (k *Keys) grow(slot uint32) (*block, *objects) {
	s := int(slot >> segmentShift)
	for s >= len(k.segments) {
		k.segments = append(k.segments, segment{})
	}
	if g := &k.segments[s]; g.blocks == nil {
		g.blocks = k.newBlocks()
		if k.gcm == gcmStdlib || k.sha == shaStdlib {
			g.objects = new([segmentSlots]objects)
		}
	}
	return k.slot(slot)
}

// newBlocks is a segment's worth of empty blocks.
func (k *Keys) newBlocks() *[segmentSlots]block {
	if k.lender != nil {
		if b := k.lender.Lend(segmentSlots * blockLen); len(b) >= segmentSlots*blockLen {
			return (*[segmentSlots]block)(unsafe.Pointer(unsafe.SliceData(b)))
		}
	}
	return new([segmentSlots]block)
}

// holder is the slot's block if it holds such a key, or nil.
func (k *Keys) holder(slot uint32, what uint32) *block {
	s := int(slot >> segmentShift)
	if s >= len(k.segments) || k.segments[s].blocks == nil {
		panic("aesni: slot was never given keys")
	}
	if b := &k.segments[s].blocks[slot&segmentMask]; b.has&what != 0 {
		return b
	}
	return nil
}

// expandEncryption empties the slot and gives it an AES-256 key.
func (k *Keys) expandEncryption(slot uint32, key *[32]byte) {
	b, o := k.grow(slot)
	if o != nil {
		*o = objects{}
	}
	*b = block{has: hasEncryption} // what was derived before is gone, not only unused
	if k.gcm != gcmStdlib {
		expand(key, b)
		return
	}
	aead, err := newGCM(key[:])
	if err != nil {
		panic("aesni: encryption key: " + err.Error())
	}
	o.aead = aead
}

// expandFulfillment gives the slot an HMAC key.
func (k *Keys) expandFulfillment(slot uint32, key *[32]byte) {
	b, o := k.grow(slot)
	b.has |= hasFulfillment
	if k.sha != shaStdlib {
		midstates(key[:], &b.inner, &b.outer)
		return
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Reset() // the first Reset saves the midstates; later ones only load them
	o.mac = mac
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
	labelBlocks      = [2][64]byte{lastBlock(LabelEncryption), lastBlock(LabelFulfillment)}
)

// lastBlock is a message of up to 55 octets as SHA-256 takes it behind one block of key.
func lastBlock(message string) (block [64]byte) {
	n := copy(block[:55], message)
	block[n] = 0x80
	binary.BigEndian.PutUint64(block[56:], uint64(64+n)*8)
	return block
}
