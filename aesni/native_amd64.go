//go:build amd64 && !purego && gc

package aesni

import (
	"crypto/subtle"
	"encoding/binary"
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// best is the best implementation that this machine has. VAES and VPCLMULQDQ are told
// as bits of their own, so each is asked for together with its registers.
var best = detect()

func detect() (best implementation) {
	has := cpuid.CPU.Supports
	if has(cpuid.AVX, cpuid.AESNI, cpuid.CLMUL, cpuid.SSE4, cpuid.SSSE3) {
		best.gcm = gcmAESNI
		if has(cpuid.AVX2, cpuid.VAES) {
			best.gcm = gcmVAES256
		}
	}
	wide := has(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512DQ, cpuid.BMI2)
	if wide && best.gcm == gcmVAES256 && has(cpuid.VPCLMULQDQ) {
		best.gcm = gcmVAES512
	}
	if has(cpuid.AVX, cpuid.SHA, cpuid.SSE4, cpuid.SSSE3) {
		best.sha = sha2
		if wide {
			best.sha = sha4
			// Before family 1Ah, AMD's processors do 512 bits in two halves, and have one
			// sha256rnds2 a cycle. Others have half of that.
			if cpuid.CPU.VendorID != cpuid.AMD || cpuid.CPU.Family >= 0x1a {
				best.sha = sha16
			}
		}
	}
	return best
}

// maxKernel bounds the octets of one call of a kernel, which can not be preempted.
const maxKernel = 128 << 10

// none stands for a pointer to no octets, which kernels are given and do not follow.
var none byte

func first(b []byte) *byte {
	if len(b) == 0 {
		return &none
	}
	return unsafe.SliceData(b)
}

func expand(key *[32]byte, b *block) { expandAVX(key, b.raw()) }

func seal(tier gcmTier, b *block, iv *[12]byte, data, text []byte) {
	if tier == gcmVAES512 && len(text) <= maxKernel {
		sealAVX512(b.raw(), iv, unsafe.SliceData(data), first(text), len(text))
		return
	}
	sealNarrow(tier, b, iv, data, text)
}

func open(tier gcmTier, b *block, text, data []byte) bool {
	if tier == gcmVAES512 && len(text) <= maxKernel {
		return openAVX512(b.raw(), first(text), unsafe.SliceData(data), len(text))
	}
	return openNarrow(tier, b, text, data)
}

// openShort and sealShort are open and seal on the widest tier, for up to maxKernel
// octets.
func openShort(b *block, text, data []byte, n int) bool {
	return openAVX512(b.raw(), first(text[:n]), unsafe.SliceData(data), n)
}

func sealShort(b *block, iv *[12]byte, data, text []byte, n int) {
	sealAVX512(b.raw(), iv, unsafe.SliceData(data), first(text), n)
}

// prefetch begins to load the keys of a connection.
func prefetch(b *block) { prefetchBlock(b.raw()) }

// lanes is how many lanes n packets of so many octets are best proved in: a lane too
// many costs as much as one that is used.
func lanes(tier shaTier, n, octets int) int {
	switch {
	case n == 1 || octets > maxKernel/4:
		return 1
	case tier == sha16 && n >= 7 && octets <= maxKernel/maxLanes:
		return 16
	case tier >= sha4:
		return 4
	}
	return 2
}

// prove proves one packet.
func prove(tier shaTier, b *block, op *Op) {
	if tier >= sha4 && len(op.Data) <= maxKernel {
		p := proof{b, first(op.Data), len(op.Data), &op.Fulfillment}
		proveAVX512((*byte)(unsafe.Pointer(&p)))
		return
	}
	state := b.inner
	whole := len(op.Data) &^ 63
	for from := 0; from < whole; from += maxKernel {
		part := op.Data[from:min(from+maxKernel, whole)]
		blocksSHA(&state, unsafe.SliceData(part), len(part)/64)
	}
	var end [128]byte
	n := pad(&end, op.Data[whole:], 64+len(op.Data))
	blocksSHA(&state, &end[0], n)
	digest(&end, &state, 64+32)
	state = b.outer
	blocksSHA(&state, &end[0], 1)
	op.Fulfillment = digest(&end, &state, 32)
	state = initial
	blocksSHA(&state, &end[0], 1)
	op.Condition = digest(&end, &state, 0)
}

// proveSome proves the first n packets, which have equally many blocks, and at most
// maxKernel octets together.
func proveSome(n int, p *[maxLanes]proof) {
	switch n {
	case 16:
		prove16AVX512((*byte)(unsafe.Pointer(p)))
	case 4:
		prove4AVX512((*byte)(unsafe.Pointer(p)))
	default:
		prove2(p)
	}
}

func prove2(p *[maxLanes]proof) {
	a, b := &p[0], &p[1]
	x, y := a.key.inner, b.key.inner
	dataA, dataB := unsafe.Slice(a.data, a.n), unsafe.Slice(b.data, b.n)
	// With equally many blocks the one may still have a whole block more, and the
	// other an end of two.
	common := min(a.n, b.n) &^ 63
	blocks2SHA(&x, &y, a.data, b.data, common/64)
	var endA, endB [128]byte
	n := pad(&endA, dataA[common:], 64+a.n)
	pad(&endB, dataB[common:], 64+b.n)
	blocks2SHA(&x, &y, &endA[0], &endB[0], n)
	digest(&endA, &x, 64+32)
	digest(&endB, &y, 64+32)
	x, y = a.key.outer, b.key.outer
	blocks2SHA(&x, &y, &endA[0], &endB[0], 1)
	outA, outB := (*[2][32]byte)(unsafe.Pointer(a.out)), (*[2][32]byte)(unsafe.Pointer(b.out))
	outA[0], outB[0] = digest(&endA, &x, 32), digest(&endB, &y, 32)
	x, y = initial, initial
	blocks2SHA(&x, &y, &endA[0], &endB[0], 1)
	outA[1], outB[1] = digest(&endA, &x, 0), digest(&endB, &y, 0)
}

// pad makes the end of a message: rest, which has fewer than 119 octets, and padding
// for a message of total octets. It returns the number of blocks.
func pad(end *[128]byte, rest []byte, total int) int {
	n := copy(end[:], rest)
	clear(end[n:])
	end[n] = 0x80
	blocks := (n + 8 + 64) / 64
	binary.BigEndian.PutUint64(end[64*blocks-8:], uint64(total)*8)
	return blocks
}

// digest writes a state out, and makes a block of it that ends a message of total
// octets.
func digest(next *[128]byte, s *[8]uint32, total int) (sum [32]byte) {
	for i, at := range [8]int{3, 2, 7, 6, 1, 0, 5, 4} { // A B C D E F G H
		binary.BigEndian.PutUint32(sum[4*i:], s[at])
	}
	copy(next[:], sum[:])
	pad(next, next[:32:32], total)
	return sum
}

// midstates are the states of an HMAC after the blocks of a key of up to 64 octets.
func midstates(key []byte, inner, outer *[8]uint32) {
	var padded [64]byte
	copy(padded[:], key)
	midstatesSHA(inner, outer, &padded)
	clear(padded[:])
}

// hmacPair is HMAC for a key of up to 64 octets and two messages of a block each, with
// their padding.
func hmacPair(sums *[2][32]byte, key []byte, messages *[2][64]byte) {
	var padded [64]byte
	copy(padded[:], key)
	hmacPairSHA(sums, &padded, messages)
	clear(padded[:])
}

// The tiers without masks, and messages that are too long for one kernel.

// counterBlocks are the first counter block of data, and the one that masks the tag.
func counterBlocks(iv *[12]byte) (data, tag [16]byte) {
	copy(data[:], iv[:])
	copy(tag[:], iv[:])
	data[15], tag[15] = 2, 1
	return data, tag
}

func encrypt8(tier gcmTier, b *block, blocks *[128]byte) {
	if tier == gcmAESNI {
		encrypt8AVX(b.raw(), blocks)
	} else {
		encrypt8VAES(b.raw(), blocks)
	}
}

// crypt adds the keystream from counter block on to src. The mask of the tag is left
// in tag.
func crypt(tier gcmTier, b *block, counter, tag *[16]byte, dst, src []byte) {
	for len(src) >= 128 {
		n := min(len(src), maxKernel) &^ 127
		if tier == gcmAESNI {
			ctrAVX(b.raw(), counter, &dst[0], &src[0], n/128)
		} else {
			ctrVAES(b.raw(), counter, &dst[0], &src[0], n/128)
		}
		dst, src = dst[n:], src[n:]
	}
	var stream [128]byte
	last := binary.BigEndian.Uint32(counter[12:])
	for i := range uint32(7) {
		copy(stream[16*i:], counter[:12])
		binary.BigEndian.PutUint32(stream[16*i+12:], last+i)
	}
	copy(stream[112:], tag[:])
	if len(src) > 112 {
		// An eighth block leaves no room for the tag's.
		final := *tag
		binary.BigEndian.PutUint32(counter[12:], last+7)
		copy(stream[112:], counter[:])
		encrypt8(tier, b, &stream)
		subtle.XORBytes(dst, src, stream[:])
		clear(stream[:])
		copy(stream[:], final[:])
		encrypt8(tier, b, &stream)
		copy(tag[:], stream[:])
		clear(stream[:])
		return
	}
	encrypt8(tier, b, &stream)
	subtle.XORBytes(dst, src, stream[:])
	copy(tag[:], stream[112:])
	clear(stream[:])
}

// authenticate is GHASH of ciphertext and its length, under the mask.
func authenticate(b *block, mask *[16]byte, sealed []byte) (tag [16]byte) {
	bits := uint64(len(sealed)) * 8
	for len(sealed) >= 64 {
		n := min(len(sealed), maxKernel) &^ 63
		ghash4AVX(b.raw(), &tag, &sealed[0], n/64)
		sealed = sealed[n:]
	}
	var end [80]byte
	n := (copy(end[:], sealed) + 15) / 16
	binary.BigEndian.PutUint64(end[16*n+8:], bits)
	if n++; n > 4 {
		ghash4AVX(b.raw(), &tag, &end[0], 1)
		ghashTailAVX(b.raw(), &tag, &end[64], 1)
	} else {
		ghashTailAVX(b.raw(), &tag, &end[0], n)
	}
	subtle.XORBytes(tag[:], tag[:], mask[:])
	return tag
}

func sealNarrow(tier gcmTier, b *block, iv *[12]byte, data, text []byte) {
	counter, mask := counterBlocks(iv)
	crypt(tier, b, &counter, &mask, data[Overhead:], text)
	copy(data, iv[:])
	tag := authenticate(b, &mask, data[Overhead:])
	copy(data[ivLen:], tag[:])
}

func openNarrow(tier gcmTier, b *block, text, data []byte) bool {
	counter, mask := counterBlocks((*[12]byte)(data))
	var first [128]byte
	copy(first[:], mask[:])
	encrypt8(tier, b, &first)
	mask = [16]byte(first[:])
	tag := authenticate(b, &mask, data[Overhead:])
	if subtle.ConstantTimeCompare(tag[:], data[ivLen:Overhead]) != 1 {
		return false
	}
	crypt(tier, b, &counter, &mask, text, data[Overhead:])
	return true
}
