package aesni

import (
	"crypto/sha256"
	"unsafe"
)

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
	// SealedBy is set by IVSource.Recognise: who sealed a genuine envelope.
	SealedBy uint8
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
// right. Otherwise OK is false and Text is untouched. Text and Data must not overlap, but
// for the case that Text is Data[Overhead:], in place; else Data is not modified.
// Open panics if Text has too little room or the slot no encryption key.
func (k *Keys) Open(op *Op) {
	op.OK = false
	n := len(op.Data) - Overhead
	if n < 0 {
		return
	}
	b := k.holder(op.Key, hasEncryption)
	if b == nil {
		panic("aesni: open without an encryption key")
	}
	if n > cap(op.Text) {
		panic("aesni: open: no room in Text")
	}
	if k.gcm == gcmStdlib {
		op.OK = k.openStdlib(op, n)
		return
	}
	op.OK = open(k.gcm, b, op.Text[:n:n], op.Data)
}

// openStdlib opens into the scratch: Data is not ours to rearrange, the standard
// library wants the tag last, and it does not promise what it leaves of a plaintext
// that is not genuine.
func (k *Keys) openStdlib(op *Op, n int) bool {
	_, o := k.slot(op.Key)
	copy(k.iv[:], op.Data)
	sealed := k.scratchFor(n + tagLen)
	copy(sealed, op.Data[Overhead:])
	copy(sealed[n:], op.Data[ivLen:Overhead])
	if _, err := o.aead.Open(sealed[:0], k.iv[:], sealed, nil); err != nil {
		return false
	}
	copy(op.Text[:n], sealed)
	return true
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
	b := k.holder(op.Key, hasEncryption)
	if b == nil {
		panic("aesni: seal without an encryption key")
	}
	if k.gcm != gcmStdlib {
		seal(k.gcm, b, &op.IV, op.Data, op.Text)
		return
	}

	// The standard library appends the tag, and there is no room for it behind
	// Data. Sealing to the scratch and copying from there moves each octet once,
	// as would sealing into Data[12:] and shifting by a tag's length; but it reads
	// and writes forwards, and lets Text be in place.
	_, o := k.slot(op.Key)
	k.iv = op.IV
	sealed := o.aead.Seal(k.scratchFor(n + tagLen)[:0], k.iv[:], op.Text, nil)
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
	b := k.holder(op.Key, hasFulfillment)
	if b == nil {
		panic("aesni: prove without a fulfillment key")
	}
	if k.sha != shaStdlib {
		prove(k.sha, b, op)
		return
	}
	_, o := k.slot(op.Key)
	o.mac.Reset()
	o.mac.Write(op.Data)
	o.mac.Sum(k.mac[:0])
	op.Fulfillment = k.mac
	op.Condition = sha256.Sum256(op.Fulfillment[:])
}

// ahead is how many packets before its turn a packet's keys are fetched.
const ahead = 10

// OpenVector does Open for each op. Ops with nil Data get OK false.
func (k *Keys) OpenVector(ops []Op) {
	distance := k.fetch(ops)
	for i := range ops {
		if i+distance < len(ops) {
			k.Fetch(ops[i+distance].Key)
		}
		op := &ops[i]
		n := len(op.Data) - Overhead
		if !k.short(n) || n > cap(op.Text) || n < 0 {
			k.Open(op)
			continue
		}
		b := k.blockOf(op.Key)
		if b.has&hasEncryption == 0 {
			panic("aesni: open without an encryption key")
		}
		op.OK = openShort(b, op.Text, op.Data, n)
	}
}

// SealVector does Seal for each op. Ops with nil Data are passed over.
func (k *Keys) SealVector(ops []Op) {
	k.sealVector(ops, k.fetch(ops))
}

// SealWarm is SealVector for keys that are in the cache, since packets were opened with
// them just now.
func (k *Keys) SealWarm(ops []Op) { k.sealVector(ops, len(ops)) }

// sealVector seals, and fetches the keys of the packets so many ahead.
func (k *Keys) sealVector(ops []Op, distance int) {
	for i := range ops {
		if i+distance < len(ops) {
			k.Fetch(ops[i+distance].Key)
		}
		op := &ops[i]
		n := len(op.Text)
		if !k.short(n) || len(op.Data) != n+Overhead {
			k.Seal(op)
			continue
		}
		b := k.blockOf(op.Key)
		if b.has&hasEncryption == 0 {
			panic("aesni: seal without an encryption key")
		}
		sealShort(b, &op.IV, op.Data, op.Text, n)
	}
}

// short says whether one kernel does a packet of n octets.
func (k *Keys) short(n int) bool { return k.gcm == gcmVAES512 && n <= maxKernel }

// blockOf is what a slot holds that was given keys; another panics.
func (k *Keys) blockOf(slot uint32) *block {
	return &k.segments[slot>>segmentShift].blocks[slot&segmentMask]
}

// fetch begins to load the keys of the first ops, and says how far ahead those of the
// others are to be loaded: not at all where they are needed at once, or near anyway.
func (k *Keys) fetch(ops []Op) (distance int) {
	if k.gcm == gcmStdlib || len(ops) == 1 || len(k.segments) <= nearSegments {
		return len(ops)
	}
	for i := range ops[:min(ahead, len(ops))] {
		k.Fetch(ops[i].Key)
	}
	return ahead
}

// Fetch asks the memory for the keys of a slot, which need not have any, and waits for
// nothing. Vectors do it for theirs; it is for who seals or opens one packet, some time before.
func (k *Keys) Fetch(slot uint32) {
	if s := int(slot >> segmentShift); s < len(k.segments) && k.segments[s].blocks != nil {
		prefetch(&k.segments[s].blocks[slot&segmentMask])
	}
}

// ProveVector does Prove for each op. Ops with nil Data are passed over.
func (k *Keys) ProveVector(ops []Op) {
	if k.sha == shaStdlib || len(ops) == 1 {
		for i := range ops {
			k.Prove(&ops[i])
		}
		return
	}
	for len(ops) > 0 {
		if len(ops) >= maxLanes && k.sha == sha16 && k.proveAlike((*[maxLanes]Op)(ops)) {
			ops = ops[maxLanes:]
			continue
		}
		n := batch(ops)
		k.proveBatch(ops[:n])
		ops = ops[n:]
	}
}

// proveAlike proves a whole kernel's packets that have equally many blocks, few enough,
// as they stand. It says false, and has done nothing, of any others.
func (k *Keys) proveAlike(ops *[maxLanes]Op) bool {
	var p [maxLanes]proof
	blocks := (len(ops[0].Data) + 8) / 64
	if blocks > maxAlikeBlocks {
		return false
	}
	for i := range ops {
		op := &ops[i]
		if op.Data == nil || (len(op.Data)+8)/64 != blocks {
			return false
		}
		b := k.holder(op.Key, hasFulfillment)
		if b == nil {
			return false
		}
		p[i] = proof{b, unsafe.SliceData(op.Data), len(op.Data), &op.Fulfillment}
	}
	proveSome(maxLanes, &p)
	return true
}

// maxAlikeBlocks is how many blocks of 64 octets, but for the last, packets have at most
// that proveAlike takes: no kernel can be preempted.
const maxAlikeBlocks = 16

// A batch has no more packets and no more octets than these: no kernel can be
// preempted, and many lanes are the longest calls there are.
const (
	maxBatch       = 64
	maxBatchOctets = 128 << 10
)

// batch is how many of ops go together: at least one.
func batch(ops []Op) int {
	octets := 0
	for i := range ops {
		if octets += len(ops[i].Data); i == maxBatch || i > 0 && octets > maxBatchOctets {
			return i
		}
	}
	return len(ops)
}

// proveBatch proves up to maxBatch packets, those with equally many blocks side by
// side in the lanes.
func (k *Keys) proveBatch(ops []Op) {
	var order [maxBatch]uint8
	var blocks [maxBatch]int32
	n := 0
	for i := range ops {
		if ops[i].Data == nil {
			continue
		}
		if k.holder(ops[i].Key, hasFulfillment) == nil {
			panic("aesni: prove without a fulfillment key")
		}
		// They come in order nearly always: insertion.
		size := int32(len(ops[i].Data)+8) / 64
		j := n
		for ; j > 0 && blocks[j-1] > size; j-- {
			blocks[j], order[j] = blocks[j-1], order[j-1]
		}
		blocks[j], order[j] = size, uint8(i)
		n++
	}
	for from := 0; from < n; {
		to := from + 1
		for to < n && blocks[to] == blocks[from] {
			to++
		}
		k.proveLanes(ops, order[from:to])
		from = to
	}
}

// proveLanes proves packets with equally many blocks, in as many lanes as are best.
func (k *Keys) proveLanes(ops []Op, which []uint8) {
	var p [maxLanes]proof
	for len(which) > 0 {
		n := lanes(k.sha, len(which), len(ops[which[0]].Data))
		if n == 1 {
			op := &ops[which[0]]
			prove(k.sha, k.holder(op.Key, hasFulfillment), op)
			which = which[1:]
			continue
		}
		for lane := range n {
			op := &ops[which[min(lane, len(which)-1)]] // a lane too many does one again
			p[lane] = proof{k.holder(op.Key, hasFulfillment), unsafe.SliceData(op.Data), len(op.Data), &op.Fulfillment}
		}
		proveSome(n, &p)
		which = which[min(n, len(which)):]
	}
}

// scratchFor returns n octets of scratch, with unknown content.
func (k *Keys) scratchFor(n int) []byte {
	if n > len(k.scratch) {
		k.scratch = make([]byte, n)
	}
	return k.scratch[:n:n]
}
