// Command keys generates the expansion of an AES-256 key and of the powers of its
// hash key, for every tier with AES-NI, PCLMULQDQ and AVX.
package main

import (
	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego,gc")
	turn := parts.Table("turnKeys", 0x08090a0b0c0d0e0f, 0x0001020304050607)
	poly := parts.Table("polynomialKeys", 1, 0xc200000000000000)

	TEXT("expandAVX", NOSPLIT, "func(key *[32]byte, b *[384]byte)")
	Pragma("noescape")
	Doc("expandAVX writes the round keys of an AES-256 key and the powers of its hash key into b.")
	key := Load(Param("key"), GP64())
	b := Load(Param("b"), GP64())
	at := func(r int) Mem { return Mem{Base: b, Disp: parts.KeysAt + 16*r} }

	// The key schedule (FIPS 197, 5.2): even and odd round keys in turn, encrypting
	// zero on the way, which gives the hash key.
	even, odd, t, h := X0, X1, X2, X3
	VMOVDQU(Mem{Base: key}, even)
	VMOVDQU(Mem{Base: key, Disp: 16}, odd)
	VMOVDQU(even, at(0))
	VMOVDQU(odd, at(1))
	VAESENC(odd, even, h)
	next := func(k VecPhysical, from VecPhysical, rcon uint64, word uint64) {
		VAESKEYGENASSIST(Imm(rcon), from, t)
		VPSHUFD(Imm(word), t, t)
		VPSLLDQ(Imm(4), k, X4)
		VPXOR(X4, k, k)
		VPSLLDQ(Imm(8), k, X4)
		VPXOR(X4, k, k)
		VPXOR(t, k, k)
	}
	for i := range 7 {
		next(even, odd, 1<<i, 0xff)
		VMOVDQU(even, at(2*i+2))
		if i == 6 {
			VAESENCLAST(even, h, h)
			break
		}
		VAESENC(even, h, h)
		next(odd, even, 0, 0xaa)
		VMOVDQU(odd, at(2*i+3))
		VAESENC(odd, h, h)
	}

	// H·x, turned round: shift left by one, and reduce.
	VPSHUFB(turn, h, h)
	VMOVDQU(poly, X15)
	VPSHUFD(Imm(0xff), h, t)
	VPSRAD(Imm(31), t, t)
	VPAND(X15, t, t)
	VPSRLD(Imm(31), h, X4)
	VPSLLDQ(Imm(4), X4, X4)
	VPSLLD(Imm(1), h, h)
	VPXOR(t, h, h)
	VPXOR(X4, h, h)

	powers := [5]VecPhysical{1: X3, 2: X5, 3: X6, 4: X7}
	for _, p := range [][3]int{{2, 1, 1}, {3, 2, 1}, {4, 2, 2}} {
		multiply(powers[p[1]], powers[p[2]], powers[p[0]])
	}
	for i, p := range powers[1:] {
		VMOVDQU(p, Mem{Base: b, Disp: parts.PowersAt + 16*(3-i)})
	}
	wipe()
	RET()
	prefetch()
	Generate()
}

// wipe leaves nothing of the keys in registers.
func wipe() {
	VZEROALL()
}

// multiply leaves the reduced product of a and b in to.
func multiply(a, b, to VecPhysical) {
	lo, mid, t := X12, X13, X14
	VPCLMULQDQ(Imm(0x00), a, b, lo)
	VPCLMULQDQ(Imm(0x01), a, b, mid)
	VPCLMULQDQ(Imm(0x10), a, b, t)
	VPCLMULQDQ(Imm(0x11), a, b, to)
	VPXOR(t, mid, mid)
	parts.Reduce(lo, mid, to, t, X15, to)
}

func prefetch() {
	TEXT("prefetchBlock", NOSPLIT, "func(b *[384]byte)")
	Pragma("noescape")
	Doc("prefetchBlock begins to load a block.")
	b := Load(Param("b"), GP64())
	for line := range 6 {
		PREFETCHT0(Mem{Base: b, Disp: 64 * line})
	}
	RET()
}
