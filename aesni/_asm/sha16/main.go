// Command sha16 generates the proving of sixteen packets at once with AVX-512: a zmm
// holds one word of sixteen messages, and rotations and three-way logic are single
// instructions. Where SHA instructions come every other cycle only, and 512 bits are done
// at a time, this is twice as fast as four lanes of them.
//
// Register plan:
//
//	Z0-Z7    a to h of the sixteen states, in turn from round to round
//	Z8-Z23   sixteen words of the message schedule
//	Z24-Z29  temporaries
//	Z30      0x80 in every octet, while blocks are loaded
//	Z31      shuffle that turns each word round
package main

import (
	"slices"

	"github.com/millrace-ilp/millrace/aesni/_asm/constants"
	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets in a proof: see proof in the package.
const (
	proofKey  = 0
	proofData = 8
	proofLen  = 16
	proofOut  = 24
	proofSize = 32
)

const count = 16

var (
	zmm = [32]VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}
	state = zmm[0:8]
	words = zmm[8:24]
	marks = Z30
	turn  = Z31
)

var tables struct{ k, turn, start, ends Mem }

func table(name string, words []uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := 0; i < len(words); i += 2 {
		DATA(4*i, U64(uint64(words[i])|uint64(words[i+1])<<32))
	}
	return m
}

func main() {
	ConstraintExpr("amd64,!purego,gc")
	k, start := constants.SHA256()
	tables.k = table("roundsSHA16", k[:])
	tables.start = table("startSHA16", start[:])
	tables.turn = table("turnSHA16", []uint32{0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f})
	// What ends a block that holds 32 octets: the mark, and the lengths in bits of the
	// outer hash (behind one block of key) and of the condition.
	tables.ends = table("endsSHA16", []uint32{1 << 31, (64 + 32) * 8, 32 * 8, 0})
	prove()
	Generate()
}

// kernel is what is at hand while proving.
type kernel struct {
	proofs Register
	saved  Mem // the states at a block's beginning
}

func (k *kernel) field(i, offset int) Mem {
	return Mem{Base: k.proofs, Disp: i*proofSize + offset}
}

func prove() {
	TEXT("prove16AVX512", 0, "func(proofs *byte)")
	Pragma("noescape")
	Doc("prove16AVX512 proves 16 packets whose data, with its padding, has the same number of blocks.")
	k := &kernel{proofs: Load(Param("proofs"), GP64()), saved: AllocLocal(8 * 64)}
	VBROADCASTI32X4(tables.turn, turn)

	// left is how many blocks of data there are to do, this one included; 0 is the outer
	// hash, -1 the condition. at is where the block is in its message.
	left, at := GP64(), GP64()
	MOVQ(k.field(0, proofLen), left)
	ADDQ(Imm(8), left)
	SHRQ(Imm(6), left)
	INCQ(left)
	XORL(at.As32(), at.As32())
	k.loadStates(parts.InnerAt)

	Label("block")
	CMPQ(left, Imm(2))
	JBE(LabelRef("padded"))
	for i, w := range words {
		data := GP64()
		MOVQ(k.field(i, proofData), data)
		VMOVDQU64(Mem{Base: data, Index: at, Scale: 1}, w)
	}
	JMP(LabelRef("loaded"))

	Label("padded") // the last block and the one before it
	mark := GP32()
	MOVL(U32(0x80), mark)
	VPBROADCASTB(mark, marks)
	for i, w := range words {
		k.loadPadded(i, at, w)
	}
	CMPQ(left, Imm(1))
	JNE(LabelRef("loaded"))
	mark = GP32()
	MOVL(U32(0x80), mark)
	KMOVB(mark, K3)
	for i, w := range words {
		bits := GP64()
		MOVQ(k.field(i, proofLen), bits)
		LEAQ(Mem{Base: bits, Disp: 64}, bits)
		SHLQ(Imm(3), bits)
		BSWAPQ(bits)
		VPBROADCASTQ(bits, K3, w)
	}
	Label("loaded")
	ADDQ(Imm(64), at)
	for _, w := range words {
		VPSHUFB(turn, w, w)
	}
	transpose16(words)

	Label("rounds")
	for i, s := range state {
		VMOVDQU64(s, k.saved.Offset(64*i))
	}
	k.compress()
	for i, s := range state {
		VPADDD(k.saved.Offset(64*i), s, s)
	}
	DECQ(left)
	JG(LabelRef("block"))
	JE(LabelRef("outer"))
	CMPQ(left, I8(-1))
	JE(LabelRef("condition"))
	k.store(32)
	VZEROUPPER()
	RET()

	Label("outer") // which is the fulfillment
	keepDigest()
	k.loadStates(parts.OuterAt)
	endBlock(4)
	JMP(LabelRef("rounds"))

	Label("condition") // the hash of that
	keepDigest()
	endBlock(8)
	k.store(0)
	for i, s := range state {
		VPBROADCASTD(tables.start.Offset(4*i), s)
	}
	JMP(LabelRef("rounds"))
}

// loadPadded loads the block at an offset of message i: what is of the message, 0x80 if
// it ends here, zeros.
func (k *kernel) loadPadded(i int, at Register, to VecPhysical) {
	data, n, zero, ones, bit := GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(k.field(i, proofData), data)
	MOVQ(k.field(i, proofLen), n)
	XORL(zero.As32(), zero.As32())
	MOVL(U32(1), bit.As32())
	SUBQ(at, n) // may be less than nothing, by up to 8
	SHLXQ(n, bit, bit)
	CMPQ(n, Imm(63))
	CMOVQHI(zero, bit)
	KMOVQ(bit, K2)
	TESTQ(n, n)
	CMOVQLT(zero, n)
	MOVQ(I32(-1), ones)
	BZHIQ(n, ones, ones)
	KMOVQ(ones, K1)
	VMOVDQU8_Z(Mem{Base: data, Index: at, Scale: 1}, K1, to)
	VMOVDQU8(marks, K2, to)
}

// keepDigest makes the states the first words of a block.
func keepDigest() {
	for i, s := range state {
		VMOVDQA64(s, words[i])
	}
}

// endBlock makes the other words of a block that begins with a digest. end is where in
// the table its length lies.
func endBlock(end int) {
	VPBROADCASTD(tables.ends, words[8])
	for i := 9; i < 15; i++ {
		VPXORD(words[i], words[i], words[i])
	}
	VPBROADCASTD(tables.ends.Offset(end), words[15])
}

// interleave does one stage of a transposition on two registers: each lane's lower (and
// upper) halves side by side. The results are in t and b: a's register is free.
func interleave(lo, hi func(x, y, to Op), a, b, t VecPhysical) (low, high, free VecPhysical) {
	lo(b, a, t)
	hi(b, a, b)
	return t, b, a
}

func dwordsLow(x, y, to Op)  { VPUNPCKLDQ(x, y, to) }
func dwordsHigh(x, y, to Op) { VPUNPCKHDQ(x, y, to) }
func qwordsLow(x, y, to Op)  { VPUNPCKLQDQ(x, y, to) }
func qwordsHigh(x, y, to Op) { VPUNPCKHQDQ(x, y, to) }
func evenLanes(x, y, to Op)  { VSHUFI32X4(Imm(0x88), x, y, to) }
func oddLanes(x, y, to Op)   { VSHUFI32X4(Imm(0xdd), x, y, to) }

// quads transposes dwords within each lane of four registers, in groups of four: lane q
// of the j-th result holds dword 4q+j of the four.
func quads(r []VecPhysical, t VecPhysical) (out []VecPhysical, free VecPhysical) {
	out = append([]VecPhysical(nil), r...)
	for g := 0; g < len(out); g += 4 {
		a := out[g : g+4]
		a[0], a[1], t = interleave(dwordsLow, dwordsHigh, a[0], a[1], t)
		a[2], a[3], t = interleave(dwordsLow, dwordsHigh, a[2], a[3], t)
		var b [4]VecPhysical
		b[0], b[1], t = interleave(qwordsLow, qwordsHigh, a[0], a[2], t)
		b[2], b[3], t = interleave(qwordsLow, qwordsHigh, a[1], a[3], t)
		copy(a, b[:])
	}
	return out, t
}

// transpose16 makes of sixteen messages of sixteen words the words of sixteen messages,
// in the registers words.
func transpose16(r []VecPhysical) {
	b, t := quads(r, Z24)
	out := make([]VecPhysical, 16)
	for j := range 4 {
		var x, y, z, w VecPhysical
		x, y, t = interleave(evenLanes, oddLanes, b[j], b[4+j], t)
		z, w, t = interleave(evenLanes, oddLanes, b[8+j], b[12+j], t)
		out[j], out[8+j], t = interleave(evenLanes, oddLanes, x, z, t)
		out[4+j], out[12+j], t = interleave(evenLanes, oddLanes, y, w, t)
	}
	_ = t // a temporary again
	settle(out)
}

// settle moves word i from the register out[i] to words[i].
func settle(out []VecPhysical) {
	for {
		moved, left := false, -1
		for i, from := range out {
			if from == words[i] {
				continue
			}
			left = i
			if !slices.Contains(out, words[i]) { // nothing is in its place any more
				VMOVDQA64(from, words[i])
				out[i], moved = words[i], true
			}
		}
		if left < 0 {
			return
		}
		if !moved { // only cycles are left: open one
			VMOVDQA64(out[left], Z25)
			out[left] = Z25
		}
	}
}

// loadStates loads the sixteen states at an offset of the key blocks: two lanes of
// messages to a register, then transposed. The first eight words are kept.
func (k *kernel) loadStates(offset int) {
	pair := words[8:16]
	for i, r := range pair {
		first := i%4 + i/4*8 // 0-3 with 4-7, 8-11 with 12-15
		key := GP64()
		MOVQ(k.field(first, proofKey), key)
		VMOVDQU64(Mem{Base: key, Disp: offset}, ymm(r))
		key = GP64()
		MOVQ(k.field(first+4, proofKey), key)
		VINSERTI64X4(Imm(1), Mem{Base: key, Disp: offset}, r, r)
	}
	b, t := quads(pair, Z24)
	// Lane 0 of b[j] is word j of four messages, lane 1 word 4+j, lanes 2 and 3 the same
	// of the next four.
	order := [8]int{5, 4, 1, 0, 7, 6, 3, 2} // F E B A H G D C
	for j := range 4 {
		VSHUFI32X4(Imm(0x88), b[4+j], b[j], state[order[j]])
		VSHUFI32X4(Imm(0xdd), b[4+j], b[j], state[order[4+j]])
	}
	_ = t
}

func ymm(z VecPhysical) VecPhysical { return z.AsY().(VecPhysical) }

// store writes the digests, which are the states, to where the proofs say. The states
// are lost.
func (k *kernel) store(offset int) {
	for _, s := range state {
		VPSHUFB(turn, s, s)
	}
	b, _ := quads(state, Z24)
	for j := range 4 {
		for lane := range 4 {
			out := GP64()
			MOVQ(k.field(4*lane+j, proofOut), out)
			VEXTRACTI32X4(Imm(uint64(lane)), b[j], Mem{Base: out, Disp: offset})
			VEXTRACTI32X4(Imm(uint64(lane)), b[4+j], Mem{Base: out, Disp: offset + 16})
		}
	}
}

// compress runs the 64 rounds, sixteen at a time, so that they stay in the instruction
// cache: after sixteen every register has its old meaning again.
func (k *kernel) compress() {
	constants, turns := GP64(), GP64()
	LEAQ(tables.k, constants)
	MOVL(U32(3), turns.As32())
	Label("sixteen")
	for r := range 16 {
		round(r, Mem{Base: constants, Disp: 4 * r})
		schedule(r)
	}
	ADDQ(Imm(64), constants)
	DECQ(turns)
	JNZ(LabelRef("sixteen"))
	for r := range 16 {
		round(r, Mem{Base: constants, Disp: 4 * r})
	}
}

// round is round r of sixteen (FIPS 180-4, 6.2.2).
func round(r int, constant Mem) {
	s := func(i int) VecPhysical { return state[(i-r+16)%8] }
	a, b, c, d, e, f, g, h := s(0), s(1), s(2), s(3), s(4), s(5), s(6), s(7)
	x, y, z, u := Z24, Z25, Z26, Z27
	VPADDD_BCST(constant, words[r], u)
	VPADDD(u, h, h)
	VPRORD(Imm(6), e, x)
	VPRORD(Imm(11), e, y)
	VPRORD(Imm(25), e, z)
	VPTERNLOGD(Imm(0x96), y, z, x)
	VMOVDQA64(e, y)
	VPTERNLOGD(Imm(0xca), g, f, y) // e ? f : g
	VPADDD(y, h, h)
	VPADDD(x, h, h)
	VPADDD(h, d, d)
	x, y, z = Z28, Z29, Z26
	VPRORD(Imm(2), a, x)
	VPRORD(Imm(13), a, y)
	VPRORD(Imm(22), a, z)
	VPTERNLOGD(Imm(0x96), y, z, x)
	VMOVDQA64(a, y)
	VPTERNLOGD(Imm(0xe8), c, b, y) // the majority
	VPADDD(y, h, h)
	VPADDD(x, h, h)
}

// schedule replaces word r by the word sixteen further on.
func schedule(r int) {
	w, w1, w9, w14 := words[r], words[(r+1)%16], words[(r+9)%16], words[(r+14)%16]
	x, y, z := Z24, Z25, Z26
	VPRORD(Imm(7), w1, x)
	VPRORD(Imm(18), w1, y)
	VPSRLD(Imm(3), w1, z)
	VPTERNLOGD(Imm(0x96), y, z, x)
	VPADDD(x, w, w)
	VPADDD(w9, w, w)
	x, y, z = Z27, Z28, Z29
	VPRORD(Imm(17), w14, x)
	VPRORD(Imm(19), w14, y)
	VPSRLD(Imm(10), w14, z)
	VPTERNLOGD(Imm(0x96), y, z, x)
	VPADDD(x, w, w)
}
