package main

import (
	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// arguments loads what all kernels take.
func arguments(in, out string) (g gp, iv Register) {
	g.key = Load(Param("key"), GP64())
	iv = Load(Param("iv"), GP64())
	g.out = Load(Param(out), GP64())
	g.in = Load(Param(in), GP64())
	g.n = Load(Param("n"), GP64())
	return g, iv
}

// blocksOf is the number of blocks of n octets.
func blocksOf(n Register) Register {
	m := GP64()
	LEAQ(Mem{Base: n, Disp: 15}, m)
	SHRQ(Imm(4), m)
	return m
}

func bitsOf(n Register) Register {
	bits := GP64()
	MOVQ(n, bits)
	SHLQ(Imm(3), bits)
	return bits
}

// low are H^4 to H^1.
func low(key Register) Mem { return Mem{Base: key, Disp: parts.PowersAt} }

// powersBefore is where the powers begin for the block of lengths and n-1 blocks before
// it, n at most four, when there are m blocks before it in all, and n = m + 1 - skip.
func powersBefore(key, m Register, skip int) Mem {
	p := GP64()
	MOVQ(m, p)
	NEGQ(p)
	SHLQ(Imm(4), p)
	return Mem{Base: key, Index: p, Scale: 1, Disp: parts.PowersAt + 16*(3+skip)}
}

// loadPowers loads the powers for a group of more than four blocks that ends with the
// block of lengths and has m blocks before it: H^(m+1) and so on.
func loadPowers(key, m Register) {
	last := powersBefore(key, m, 4)
	VMOVDQU64(last, powers[1])
	VBROADCASTI32X4(last, Z14)
	raise(low(key), Z14, powers[0])
}

// loadHigh makes H^8 to H^5.
func loadHigh(key Register) {
	VBROADCASTI32X4(low(key), Z14)
	raise(low(key), Z14, high)
}

const pageLen = 4096

// shortOf has a message of n octets at pointers stand at the end of registers: the pointers
// are moved back to where the first register begins, K1 and K2 say which octets are the
// message's, and states get its counter blocks. bits are its length. What is before the message is neither read nor written; but where
// that is in the page before, which may be none, processors take hundreds of cycles to see
// it, and such a message goes the way of long ones.
func shortOf(g gp, iv Register, states []VecPhysical, table Mem, pointers ...Register) (bits Register) {
	width := 4 * len(states)
	blocks, at := blocksOf(g.n), GP64()
	nonce(iv, Z4)
	row := GP64()
	MOVQ(blocks, row)
	SHLQ(Imm(uint64(5+len(states))), row)
	counters := GP64()
	LEAQ(table, counters)
	least := 4 * (len(states) - 1)
	for i, s := range states {
		VPORQ(Mem{Base: counters, Index: row, Scale: 1, Disp: 64*i - 16*width*least}, Z4, s)
	}
	// It begins behind so many octets.
	MOVL(U32(uint32(16*(width-1))), at.As32())
	SHLQ(Imm(4), blocks)
	SUBQ(blocks, at)
	for _, p := range pointers {
		within := GP64()
		MOVQ(p, within)
		ANDL(U32(pageLen-1), within.As32())
		CMPQ(within, at)
		JB(LabelRef("long"))
	}
	ones := GP64()
	MOVQ(I32(-1), ones)
	if len(states) == 1 {
		BZHIQ(g.n, ones, ones)
		SHLXQ(at, ones, ones)
		KMOVQ(ones, K1)
	} else {
		first, end := GP64(), GP64()
		SHLXQ(at, ones, first)
		KMOVQ(first, K1)
		LEAQ(Mem{Base: at, Index: g.n, Scale: 1, Disp: -64}, end)
		BZHIQ(end, ones, ones)
		KMOVQ(ones, K2)
	}
	for _, p := range pointers {
		SUBQ(at, p)
	}
	return bitsOf(g.n)
}

// hashShort hashes such a message, turned round in blocks, with its lengths.
func hashShort(key, bits Register, blocks []VecPhysical) {
	last := blocks[len(blocks)-1]
	lengthsLast(bits, last)
	if len(blocks) == 2 {
		VBROADCASTI32X4(low(key), Z14) // H^4
		raise(Z14, blocks[0], hash)
		VPXORQ(hash, last, last)
	}
	multiply(last, low(key))
}

// counters prepares Z4 for nextCounters, with counter 2 in its first lane.
func counters(iv Register) {
	nonce(iv, counter)
	VPORQ(tables.le, counter, counter)
}

func nextCounters(states []VecPhysical) {
	for _, s := range states {
		VPSHUFB(tables.turnLast, counter, s)
		VPADDD(tables.step, counter, counter)
	}
}

// tagCounter puts counter 1 into the last lane of z. K5 is used.
func tagCounter(iv Register, z VecPhysical) {
	k, t := GP32(), Z14
	nonce(iv, t)
	VPORQ(tables.oneRegister, t, t)
	MOVL(U32(0xc0), k)
	KMOVB(k, K5)
	VMOVDQA64(t, K5, z)
}

// storeTag writes the tag: GHASH, turned back, masked with the last lane of z.
func storeTag(z VecPhysical, to Mem) {
	VEXTRACTI32X4(Imm(3), z, X14)
	VPSHUFB(X31, xmm(hash), xmm(hash))
	VPXOR(X14, xmm(hash), xmm(hash))
	VMOVDQU(xmm(hash), to)
}

// seal writes iv | tag | ciphertext.
func seal() {
	TEXT("sealAVX512", NOSPLIT, "func(key *[384]byte, iv *[12]byte, data *byte, text *byte, n int)")
	Pragma("noescape")
	Doc("sealAVX512 seals n octets of text into data, which has room for 28 more.")
	g, iv := arguments("text", "data")
	constants()
	// The IV goes in front; out is where the ciphertext goes.
	t := GP64()
	MOVQ(Mem{Base: iv}, t)
	MOVQ(t, Mem{Base: g.out})
	MOVL(Mem{Base: iv, Disp: 8}, t.As32())
	MOVL(t.As32(), Mem{Base: g.out, Disp: 8})
	ADDQ(Imm(28), g.out)
	tagAt := Mem{Base: g.out, Disp: -16}

	CMPQ(g.n, Imm(oneRegister))
	JA(LabelRef("group"))
	sealShort(g, iv, tagAt, state[:1], state[2:3], tables.oneRegister)

	Label("group")
	CMPQ(g.n, Imm(oneGroup))
	JA(LabelRef("long"))
	sealShort(g, iv, tagAt, state[:2], state[2:4], tables.oneGroup)

	Label("long")
	tag, bits := GP64(), bitsOf(g.n)
	LEAQ(tagAt, tag)
	counters(iv)
	VPXORQ(hash, hash, hash)
	CMPQ(g.n, U32(twoGroup))
	JBE(LabelRef("tail"))
	loadResident(g.key)
	raisePowers(g.key)
	inChunks(g.n, "", func(states []VecPhysical) {
		nextCounters(states)
		encryptResident(states)
		for i, s := range states {
			VPXORQ(Mem{Base: g.in, Disp: 64 * i}, s, s)
			VMOVDQU64(s, Mem{Base: g.out, Disp: 64 * i})
			turned(s, s)
		}
		hashChunk(g.key, states)
		advance(len(states), g.in, g.out)
	})
	Label("tail")
	{
		tailCounters(iv)
		encrypt(g.key, state[:])
		// The mask of the tag is in the last lane; no data is.
		VMOVDQA64(Z3, Z16)
		for i, s := range state {
			maskFor(g.n, 64*i, masks[i])
			VMOVDQU8_Z(Mem{Base: g.in, Disp: 64 * i}, masks[i], Z14)
			VPXORQ(Z14, s, s)
			VMOVDQU8(s, masks[i], Mem{Base: g.out, Disp: 64 * i})
			VMOVDQU8_Z(s, masks[i], s)
			turned(s, s)
		}
		hashTail(g, bits)
		storeTag(Z16, Mem{Base: tag})
		VZEROUPPER()
		RET()
	}
}

// sealShort is the kernel for a message that is one register, or two.
func sealShort(g gp, iv Register, tagAt Mem, keystream, text []VecPhysical, table Mem) {
	tag := GP64()
	LEAQ(tagAt, tag)
	bits := shortOf(g, iv, keystream, table, g.in, g.out)
	for i, t := range text {
		VMOVDQU8_Z(Mem{Base: g.in, Disp: 64 * i}, masks[i], t)
	}
	encrypt(g.key, keystream)
	for i, t := range text {
		VPXORQ(keystream[i], t, t)
		VMOVDQU8(t, masks[i], Mem{Base: g.out, Disp: 64 * i})
		VMOVDQU8_Z(t, masks[i], t)
		turned(t, t)
	}
	hashShort(g.key, bits, text)
	storeTag(keystream[len(keystream)-1], Mem{Base: tag})
	VZEROUPPER()
	RET()
}

// inChunks does a message in pieces of 256 octets, and perhaps one of 128, until no
// more than twoGroup are left in n. There are more than that before.
func inChunks(n Register, name string, chunk func(states []VecPhysical)) {
	CMPQ(n, U32(256))
	JB(LabelRef("half" + name))
	Label("loop" + name)
	chunk(state[:])
	SUBQ(U32(256), n)
	CMPQ(n, U32(256))
	JAE(LabelRef("loop" + name))
	CMPQ(n, U32(twoGroup))
	JBE(LabelRef("rest" + name))
	Label("half" + name)
	chunk(state[:2])
	SUBQ(U32(128), n)
	Label("rest" + name)
}

func advance(registers int, pointers ...Register) {
	for _, p := range pointers {
		ADDQ(U32(64*registers), p)
	}
}

// raisePowers makes H^16 to H^5 of the powers in the key block.
func raisePowers(key Register) {
	loadHigh(key)
	VSHUFI32X4(Imm(0), high, high, Z14) // H^8
	raise(Z14, high, powers[0])
	raise(low(key), Z14, powers[1])
}

// hashChunk hashes eight turned blocks, or sixteen with powers raised.
func hashChunk(key Register, states []VecPhysical) {
	VPXORQ(hash, states[0], states[0])
	if len(states) == 2 {
		multiplyTwo(states[0], states[1], high, low(key))
		return
	}
	product(true, states[0], powers[0])
	product(false, states[1], powers[1])
	product(false, states[2], high)
	product(false, states[3], low(key))
	reduce(hash)
	fold()
}

// tailCounters makes the counter blocks of the last up to 15 blocks and the tag's.
func tailCounters(iv Register) {
	nextCounters(state[:])
	tagCounter(iv, Z3)
}

func loadResident(key Register) {
	for r, z := range residentKeys {
		VBROADCASTI32X4(Mem{Base: key, Disp: parts.KeysAt + 16*r}, z)
	}
}

// hashTail hashes the last up to 15 turned blocks of n octets in the states, and the
// block of lengths.
func hashTail(g gp, bits Register) {
	m := blocksOf(g.n)
	CMPQ(m, Imm(8))
	JB(LabelRef("last"))
	loadHigh(g.key)
	VPXORQ(hash, Z0, Z0)
	multiplyTwo(Z0, Z1, high, low(g.key))
	VMOVDQA64(Z2, Z0)
	VMOVDQA64(Z3, Z1)
	SUBQ(Imm(8), m)
	Label("last")
	lengths(bits, m, Z0, Z1)
	VPXORQ(hash, Z0, Z0)
	CMPQ(m, Imm(4))
	JB(LabelRef("few"))
	loadPowers(g.key, m)
	multiplyTwo(Z0, Z1, powers[0], powers[1])
	JMP(LabelRef("hashed"))
	Label("few")
	VMOVDQU64(powersBefore(g.key, m, 0), powers[0])
	multiply(Z0, powers[0])
	Label("hashed")
}
