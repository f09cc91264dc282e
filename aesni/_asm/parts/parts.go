// Package parts is what several of the generators need: the layout of a key block, tables,
// and the reduction of GHASH.
package parts

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets in the key block: see block in package aesni.
const (
	PowersAt = 0 // of the hash key: H^4 to H^1
	InnerAt  = 64
	OuterAt  = 96
	KeysAt   = 128

	Rounds = 14 // of AES-256, after the first key
)

// Table is a read-only table of words.
func Table(name string, words ...uint64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, w := range words {
		DATA(8*i, U64(w))
	}
	return m
}

// Reduce leaves in to the reduced sum of products, lane by lane: lo, mid and hi are
// their halves, and are lost as t is. Registers of AVX-512 have three-way logic, and
// command gcm a reduction of its own.
func Reduce(lo, mid, hi, t, poly, to VecPhysical) {
	VPSLLDQ(Imm(8), mid, t)
	VPSRLDQ(Imm(8), mid, mid)
	VPXOR(t, lo, lo)
	VPXOR(mid, hi, hi)
	for range 2 {
		VPCLMULQDQ(Imm(0x01), lo, poly, t)
		VPSHUFD(Imm(0x4e), lo, lo)
		VPXOR(t, lo, lo)
	}
	VPXOR(lo, hi, to)
}
