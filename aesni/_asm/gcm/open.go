package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// compare makes the tag and leaves 0xffff in a register if it is the one in the
// envelope.
func compare(z VecPhysical, tag Mem) Register {
	VEXTRACTI32X4(Imm(3), z, X14)
	VPSHUFB(X31, xmm(hash), xmm(hash))
	VPXOR(X14, xmm(hash), xmm(hash))
	VPCMPEQB(tag, xmm(hash), xmm(hash))
	same := GP32()
	VPMOVMSKB(xmm(hash), same)
	return same
}

// refuse ends the kernel unless the tag is right. That it is not is no secret.
func refuse(same Register) {
	CMPL(same, U32(0xffff))
	JNE(LabelRef("wrong"))
}

// open writes plaintext only once the tag is right: up to two groups from registers,
// more in a second pass.
func open() {
	TEXT("openAVX512", NOSPLIT, "func(key *[384]byte, text *byte, data *byte, n int) (ok bool)")
	Pragma("noescape")
	Doc("openAVX512 opens an envelope with n octets of ciphertext. Nothing is written unless its tag is right.")
	var g gp
	g.key = Load(Param("key"), GP64())
	g.out = Load(Param("text"), GP64())
	g.in = Load(Param("data"), GP64())
	g.n = Load(Param("n"), GP64())
	constants()
	iv := g.in // the IV is in front of the envelope
	tagAt := Mem{Base: iv, Disp: 12}

	CMPQ(g.n, Imm(oneRegister))
	JA(LabelRef("group"))
	openShort(g, iv, tagAt, state[:1], state[2:3], tables.oneRegister)

	Label("group")
	CMPQ(g.n, Imm(oneGroup))
	JA(LabelRef("long"))
	openShort(g, iv, tagAt, state[:2], state[2:4], tables.oneGroup)

	Label("long")
	bits, all := bitsOf(g.n), GP64()
	MOVQ(g.n, all)
	from := GP64()
	LEAQ(Mem{Base: g.in, Disp: body}, from)
	VPXORQ(hash, hash, hash)
	CMPQ(g.n, U32(twoGroup))
	JBE(LabelRef("tail"))
	{
		// First pass: hash.
		raisePowers(g.key)
		inChunks(g.n, "Hash", func(states []VecPhysical) {
			for i, s := range states {
				VMOVDQU64(Mem{Base: from, Disp: 64 * i}, s)
				turned(s, s)
			}
			hashChunk(g.key, states)
			advance(len(states), from)
		})
	}
	Label("tail")
	{
		rest := Mem{Base: from}
		for i, s := range state {
			maskFor(g.n, 64*i, masks[i])
			VMOVDQU8_Z(rest.Offset(64*i), masks[i], s)
			VMOVDQA64(s, residentKeys[i])
			turned(s, s)
		}
		hashTail(g, bits)
		counters(iv)
		CMPQ(all, U32(twoGroup))
		JA(LabelRef("passes"))
		// All of it is in registers.
		tailCounters(iv)
		encrypt(g.key, state[:])
		refuse(compare(Z3, tagAt))
		for i, s := range state {
			VPXORQ(residentKeys[i], s, s)
			VMOVDQU8(s, masks[i], Mem{Base: g.out, Disp: 64 * i})
		}
		JMP(LabelRef("right"))
	}
	Label("passes")
	{
		// The mask of the tag alone.
		nonce(iv, Z3)
		VPORQ(tables.oneRegister, Z3, Z3)
		encrypt(g.key, state[3:])
		refuse(compare(Z3, tagAt))
		// Second pass: decrypt.
		loadResident(g.key)
		LEAQ(Mem{Base: g.in, Disp: body}, from)
		inChunks(all, "Open", func(states []VecPhysical) {
			nextCounters(states)
			encryptResident(states)
			for i, s := range states {
				VPXORQ(Mem{Base: from, Disp: 64 * i}, s, s)
				VMOVDQU64(s, Mem{Base: g.out, Disp: 64 * i})
			}
			advance(len(states), from, g.out)
		})
		nextCounters(state[:])
		encryptResident(state[:])
		for i, s := range state {
			VMOVDQU8_Z(Mem{Base: from, Disp: 64 * i}, masks[i], Z14)
			VPXORQ(Z14, s, s)
			VMOVDQU8(s, masks[i], Mem{Base: g.out, Disp: 64 * i})
		}
	}
	Label("right")
	{
		ok := GP8()
		MOVB(Imm(1), ok)
		Store(ok, ReturnIndex(0))
		VZEROUPPER()
		RET()
	}
	Label("wrong")
	no := GP8()
	XORB(no, no)
	Store(no, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// body is where the ciphertext begins in an envelope.
const body = 28

// openShort is the kernel for a message that is one register, or two.
func openShort(g gp, iv Register, tagAt Mem, keystream, data []VecPhysical, table Mem) {
	from := GP64()
	LEAQ(Mem{Base: g.in, Disp: body}, from)
	bits := shortOf(g, iv, keystream, table, from, g.out)
	blocks := []VecPhysical{Z16, Z17}[:len(data)]
	for i, d := range data {
		VMOVDQU8_Z(Mem{Base: from, Disp: 64 * i}, masks[i], d)
		turned(d, blocks[i])
	}
	hashShort(g.key, bits, blocks)
	encrypt(g.key, keystream)
	for i, d := range data {
		VPXORQ(keystream[i], d, d)
	}
	refuse(compare(keystream[len(keystream)-1], tagAt))
	for i, d := range data {
		VMOVDQU8(d, masks[i], Mem{Base: g.out, Disp: 64 * i})
	}
	JMP(LabelRef("right"))
}
