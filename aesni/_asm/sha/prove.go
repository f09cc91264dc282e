package main

import (
	"fmt"

	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets in a proof of the package.
const (
	proofKey  = 0
	proofData = 8
	proofLen  = 16
	proofOut  = 24
	proofSize = 32
)

// prove computes the fulfillments and conditions of packets that have the same number
// of blocks. Padding is put together in registers and goes over the stack: the last
// two blocks of a message (or the only one) lie there.
func prove(name string, n int) {
	TEXT(name, 0, "func(proofs *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s proves %d packets whose data, with its padding, has the same number of blocks.", name, n))
	proofs := Load(Param("proofs"), GP64())
	field := func(i, offset int) Mem { return Mem{Base: proofs, Disp: i*proofSize + offset} }
	lanes := lanesOf(n)
	bounce := AllocLocal(128 * n)

	// The message is one block longer than data (that of the key), so with padding it
	// has (octets + 8)/64 + 1 blocks from here on.
	blocks := GP64()
	MOVQ(field(0, proofLen), blocks)
	ADDQ(Imm(8), blocks)
	SHRQ(Imm(6), blocks)
	data := make([]Register, n)
	for i := range lanes {
		data[i] = GP64()
		MOVQ(field(i, proofData), data[i])
	}

	// The last block, at bounce[64:], and the one before it.
	last, before := GP64(), GP64()
	MOVQ(blocks, last)
	SHLQ(Imm(6), last)
	MOVQ(last, before)
	SUBQ(Imm(64), before)
	mark := GP32()
	MOVL(U32(0x80), mark)
	VPBROADCASTB(mark, Z9)
	mark = GP32()
	MOVL(U32(0x80), mark)
	KMOVB(mark, K4)
	TESTQ(blocks, blocks)
	JZ(LabelRef("lasts"))
	for i := range lanes {
		size := GP64()
		MOVQ(field(i, proofLen), size)
		padBlock(data[i], size, before)
		VMOVDQU64(Z10, bounce.Offset(128*i))
	}
	Label("lasts")
	for i := range lanes {
		size := GP64()
		MOVQ(field(i, proofLen), size)
		padBlock(data[i], size, last)
		bits := GP64()
		LEAQ(Mem{Base: size, Disp: 64}, bits)
		SHLQ(Imm(3), bits)
		BSWAPQ(bits)
		VPBROADCASTQ(bits, K4, Z10)
		VMOVDQU64(Z10, bounce.Offset(128*i+64))
	}
	VZEROUPPER()

	VMOVDQU(tables.turn, X15)
	for i := range lanes {
		key := GP64()
		MOVQ(field(i, proofKey), key)
		lanes[i].state(Mem{Base: key, Disp: parts.InnerAt})
	}

	// One copy of the rounds serves all blocks, so that they stay in the instruction
	// cache. left is how many blocks of data there are to do, this one included; 0 is
	// the outer hash, -1 the condition.
	left := blocks
	INCQ(left)
	CMPQ(left, Imm(2))
	JA(LabelRef("block"))
	JE(LabelRef("bounce"))
	for i := range lanes {
		LEAQ(bounce.Offset(128*i+64), data[i])
	}
	JMP(LabelRef("block"))
	Label("bounce")
	for i := range lanes {
		LEAQ(bounce.Offset(128*i), data[i])
	}
	Label("block")
	for i := range lanes {
		lanes[i].load(Mem{Base: data[i]}, X15)
		ADDQ(Imm(64), data[i])
	}
	Label("rounds")
	compress(lanes)
	DECQ(left)
	CMPQ(left, Imm(2))
	JE(LabelRef("bounce"))
	CMPQ(left, Imm(0))
	JG(LabelRef("block"))
	JE(LabelRef("outer"))
	CMPQ(left, I8(-1))
	JE(LabelRef("condition"))
	for i := range lanes {
		out := GP64()
		lanes[i].digest()
		MOVQ(field(i, proofOut), out)
		lanes[i].store(Mem{Base: out, Disp: 32})
	}
	RET()

	Label("outer") // which is the fulfillment
	for i := range lanes {
		key := GP64()
		lanes[i].digest()
		lanes[i].padded(tables.outer)
		MOVQ(field(i, proofKey), key)
		lanes[i].state(Mem{Base: key, Disp: parts.OuterAt})
	}
	JMP(LabelRef("rounds"))

	Label("condition") // the hash of that
	for i := range lanes {
		out := GP64()
		lanes[i].digest()
		lanes[i].padded(tables.condition)
		MOVQ(field(i, proofOut), out)
		lanes[i].store(Mem{Base: out})
		lanes[i].state(tables.start)
	}
	JMP(LabelRef("rounds"))
}

// padBlock leaves in Z10 the 64 octets at offset at of a message of n octets: what is
// of the message, then 0x80 if it ends here, then zeros. at is a multiple of 64, and
// at most one block behind the message's end.
func padBlock(data, n, at Register) {
	left, zero, ones, end := GP64(), GP64(), GP64(), GP64()
	XORL(zero.As32(), zero.As32())
	MOVQ(n, left)
	SUBQ(at, left)
	MOVQ(left, end)
	CMOVQLT(zero, left)
	MOVQ(I32(-1), ones)
	BZHIQ(left, ones, ones)
	KMOVQ(ones, K1)
	VMOVDQU8_Z(Mem{Base: data, Index: at, Scale: 1}, K1, Z10)
	// 1 << end, if that is from 0 to 63.
	bit := GP64()
	MOVL(U32(1), bit.As32())
	SHLXQ(end, bit, bit)
	CMPQ(end, Imm(63))
	CMOVQHI(zero, bit)
	KMOVQ(bit, K2)
	VMOVDQU8(Z9, K2, Z10)
}
