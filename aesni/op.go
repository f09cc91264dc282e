package aesni

import "crypto/sha256"

const (
	ivLen  = 12
	tagLen = 16

	// Overhead is the length of iv and tag, the octets by which an envelope is
	// longer than its plaintext.
	Overhead = ivLen + tagLen

	// scratchLen holds ciphertext and tag of the largest ILP data field, 32767
	// octets (IL-RFC 0027). Longer envelopes work; they grow the scratch once.
	scratchLen = 32 << 10
)

// Op is one packet's work. The same Op may go through Open, Prove and Seal,
// each of which reads and writes only the fields that it names. An Op holds no
// secret but Text, and may live on the caller's stack; what Text and Data
// point to is borrowed until the call returns.
type Op struct {
	// Key is the slot of the connection's keys.
	Key uint32
	// OK is set by Open: the envelope is genuine.
	OK bool
	// Text is the plaintext: Open writes Text[:len(Data)-Overhead], and so
	// needs that much room; Seal reads all of Text.
	Text []byte
	// Data is the envelope, iv | tag | ciphertext: Open and Prove read it, Seal
	// writes it. Nil means nothing to do.
	Data []byte
	// IV is what Seal seals under. It must never have been used with this key
	// by either end: see IVSource. Open leaves it alone.
	IV [12]byte
	// Fulfillment and Condition are set by Prove.
	Fulfillment, Condition [32]byte
}

// Open decrypts Data into Text[:len(Data)-Overhead] and sets OK if the tag is
// right. Otherwise OK is false, and that part of Text is zero or, when Data is
// shorter than Overhead or nil, untouched: nothing of the plaintext is left
// behind. Data is never modified. Text and Data must not overlap.
// Open panics if Text has too little room or the slot no encryption key.
func (k *Keys) Open(op *Op) {
	op.OK = false
	n := len(op.Data) - Overhead
	if n < 0 {
		return
	}
	aead := k.block(op.Key).aead
	if aead == nil {
		panic("aesni: open without an encryption key")
	}
	if n > cap(op.Text) {
		panic("aesni: open: no room in Text")
	}

	// The standard library wants the tag last. Data is not ours to rearrange,
	// so this is the one copy: to a scratch that stays in the cache.
	text := op.Text[:n:n]
	copy(k.iv[:], op.Data)
	sealed := k.scratchFor(n + tagLen)
	copy(sealed, op.Data[Overhead:])
	copy(sealed[n:], op.Data[ivLen:Overhead])
	if _, err := aead.Open(text[:0], k.iv[:], sealed, nil); err != nil {
		clear(text) // cipher.AEAD does not promise what it leaves
		return
	}
	op.OK = true
}

// Seal encrypts Text under IV into Data, which must be exactly
// len(Text)+Overhead octets long. Text and Data must not overlap, but for the
// case that Text is Data[Overhead:], in place. Nil Data is passed over.
// Seal panics if the length is another or the slot has no encryption key.
func (k *Keys) Seal(op *Op) {
	if op.Data == nil {
		return
	}
	n := len(op.Text)
	if len(op.Data) != n+Overhead {
		panic("aesni: seal: Data must be Text and 28 octets long")
	}
	aead := k.block(op.Key).aead
	if aead == nil {
		panic("aesni: seal without an encryption key")
	}

	// The standard library appends the tag, and there is no room for it behind
	// Data. Sealing to the scratch and copying from there moves each octet once,
	// as would sealing into Data[12:] and shifting by a tag's length; but it reads
	// and writes forwards, and lets Text be in place.
	k.iv = op.IV
	sealed := aead.Seal(k.scratchFor(n + tagLen)[:0], k.iv[:], op.Text, nil)
	copy(op.Data, k.iv[:])
	copy(op.Data[ivLen:], sealed[n:])
	copy(op.Data[Overhead:], sealed[:n])
}

// Prove computes what fulfills a prepare that carries Data: Fulfillment is
// HMAC-SHA-256 of the whole of Data under the fulfillment key, and Condition is
// SHA-256 of Fulfillment (IL-RFC 0029, "Fulfillment and Condition Generation").
// It does not ask whether Data is genuine. Nil Data is passed over.
// Prove panics if the slot has no fulfillment key.
func (k *Keys) Prove(op *Op) {
	if op.Data == nil {
		return
	}
	mac := k.block(op.Key).mac
	if mac == nil {
		panic("aesni: prove without a fulfillment key")
	}
	mac.Reset()
	mac.Write(op.Data)
	mac.Sum(k.mac[:0])
	op.Fulfillment = k.mac
	op.Condition = sha256.Sum256(op.Fulfillment[:])
}

// OpenVector does Open for each op. Ops with nil Data get OK false.
func (k *Keys) OpenVector(ops []Op) {
	for i := range ops {
		k.Open(&ops[i])
	}
}

// SealVector does Seal for each op. Ops with nil Data are passed over.
func (k *Keys) SealVector(ops []Op) {
	for i := range ops {
		k.Seal(&ops[i])
	}
}

// ProveVector does Prove for each op. Ops with nil Data are passed over.
func (k *Keys) ProveVector(ops []Op) {
	for i := range ops {
		k.Prove(&ops[i])
	}
}

// scratchFor returns n octets of scratch, with unknown content.
func (k *Keys) scratchFor(n int) []byte {
	if n > len(k.scratch) {
		k.scratch = make([]byte, n)
	}
	return k.scratch[:n:n]
}
