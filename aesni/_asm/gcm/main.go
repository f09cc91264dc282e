// Command gcm generates the AES-256-GCM kernels for AVX-512 with VAES and
// VPCLMULQDQ.
//
// Everything works on lanes of 16 octets, four to a register. Inside, GHASH is
// computed on octet-reversed blocks, with powers of H that are multiplied by x
// (Gueron and Kounavis, "Intel Carry-Less Multiplication Instruction and its Usage
// for Computing the GCM Mode"), so that a product needs no shift and is reduced by
// two multiplications.
//
// A short message stands at the end of one or two registers, with zeros before it, which
// change no hash, and the block of lengths in the last lane, where the counter block
// that masks the tag is, too. The lanes are multiplied by the powers H^4..H^1, which lie
// in the key block in this order, those of the first of two registers by H^4 before.
//
// A longer one is hashed in groups of at most eight blocks, each multiplied by the
// power that its distance from the group's end asks for, and reduced once a group: the
// powers of a group of k blocks, up to four, begin k blocks before the table's end, and
// the four of a longer group that come first are those in the table times H^(k-4).
// Messages beyond two groups are hashed sixteen blocks at a time: H^16 to H^5 are made
// when one begins.
//
// Register plan, the same in all kernels:
//
//	Z0-Z3    counter blocks, keystream, ciphertext: 16 lanes
//	Z4       counters of the next four zmm, little-endian in the last dword
//	Z5       GHASH so far, in lane 0
//	Z6, Z7   powers of H: those of the group at hand, or H^16 to H^9
//	Z8       the reduction polynomial
//	Z9-Z14   temporaries
//	Z15      H^8 to H^5, in the loops
//	Z16-Z30  round keys, in the loops
//	Z31      shuffle that turns each lane round
//	K1-K4    the octets of Z0-Z3 that are in the message
//	K5, K6   where the block of lengths goes
//	K7       the dwords of an IV
package main

import (
	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Lengths up to which a message with its block of lengths is one register of blocks, two
// (which is a group), and two groups.
const (
	oneRegister = 48
	oneGroup    = 112
	twoGroup    = 240
)

var (
	state   = [4]VecPhysical{Z0, Z1, Z2, Z3}
	masks   = [4]OpmaskPhysical{K1, K2, K3, K4}
	counter = Z4
	hash    = Z5
	powers  = [2]VecPhysical{Z6, Z7}
	poly    = Z8
	high    = Z15
	turn    = Z31
)

var residentKeys = [parts.Rounds + 1]VecPhysical{Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30}

// xmm and ymm are the low parts of a zmm.
func xmm(z VecPhysical) VecPhysical { return z.AsX().(VecPhysical) }
func ymm(z VecPhysical) VecPhysical { return z.AsY().(VecPhysical) }

var tables struct{ turn, turnLast, poly, oneRegister, oneGroup, le, step Mem }

func lanes(name string, n int, lane func(i int) [16]byte) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range n {
		b := lane(i)
		for k := range 2 {
			var v uint64
			for j := range 8 {
				v |= uint64(b[8*k+j]) << (8 * j)
			}
			DATA(16*i+8*k, U64(v))
		}
	}
	return m
}

// same is a table whose lanes are equal: one is stored, and broadcast.
func same(name string, b [16]byte) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for k := range 2 {
		var v uint64
		for j := range 8 {
			v |= uint64(b[8*k+j]) << (8 * j)
		}
		DATA(8*k, U64(v))
	}
	return m
}

// counterTable adds to a block whose last dword is zero. n(i) is lane i's counter,
// little-endian in that dword.
func counterTable(name string, n func(i int) byte) Mem {
	return lanes(name, 4, func(i int) [16]byte { return [16]byte{12: n(i)} })
}

// endTable has four rows, of so many lanes, for messages of least blocks and one, two
// and three more, that stand at the end before the last lane: their counters, from 2 on,
// big-endian in the last dword, and in the last lane that of the tag, which is 1.
func endTable(name string, width, least int) Mem {
	return lanes(name, 4*width, func(i int) (b [16]byte) {
		row, lane := i/width, i%width
		before := width - 1 - (least + row) // lanes without a block
		switch {
		case lane == width-1:
			b[15] = 1
		case lane >= before:
			b[15] = byte(2 + lane - before)
		}
		return b
	})
}

func main() {
	ConstraintExpr("amd64,!purego,gc")
	tables.turn = same("turn", [16]byte{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0})
	tables.turnLast = lanes("turnLast", 4, func(int) [16]byte { return [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 14, 13, 12} })
	tables.poly = same("polynomial", [16]byte{0: 1, 15: 0xc2})
	tables.oneRegister = endTable("countersRegister", 4, 0)
	tables.oneGroup = endTable("countersGroup", 8, 4)
	tables.le = counterTable("countersLE", func(i int) byte { return byte(2 + i) })
	tables.step = counterTable("counterStep", func(int) byte { return 4 })

	seal()
	open()
	Generate()
}

// gp are the general registers of a kernel.
type gp struct{ key, in, out, n Register }

func constants() {
	VBROADCASTI32X4(tables.turn, turn)
	VBROADCASTI32X4(tables.poly, poly)
}

// nonce loads the IV into every lane of z, with a zero last dword: what is behind the IV
// is not read.
func nonce(iv Register, z VecPhysical) {
	three := GP32()
	MOVL(U32(0x7777), three)
	KMOVW(three, K7)
	VBROADCASTI32X4_Z(Mem{Base: iv}, K7, z)
}

// encrypt runs AES-256 over the states, with keys from the block.
func encrypt(key Register, states []VecPhysical) {
	rk := Z14
	for r := range parts.Rounds + 1 {
		VBROADCASTI32X4(Mem{Base: key, Disp: parts.KeysAt + 16*r}, rk)
		round(r, rk, states)
	}
}

// encryptResident does it with the keys in registers.
func encryptResident(states []VecPhysical) {
	for r := range parts.Rounds + 1 {
		round(r, residentKeys[r], states)
	}
}

func round(r int, rk VecPhysical, states []VecPhysical) {
	for _, s := range states {
		switch r {
		case 0:
			VPXORQ(rk, s, s)
		case parts.Rounds:
			VAESENCLAST(rk, s, s)
		default:
			VAESENC(rk, s, s)
		}
	}
}

// maskFor makes the mask of those of 64 octets from offset at on that are within n.
func maskFor(n Register, at int, k OpmaskPhysical) {
	left, ones := GP64(), GP64()
	MOVQ(I32(-1), ones)
	if at == 0 {
		BZHIQ(n, ones, ones) // beyond 63 it leaves all
	} else {
		zero := GP64()
		XORL(zero.As32(), zero.As32())
		MOVQ(n, left)
		SUBQ(U32(at), left)
		CMOVQLT(zero, left)
		BZHIQ(left, ones, ones)
	}
	KMOVQ(ones, k)
}

// lengths adds the block of lengths to the block after the data: lane m of a and b,
// which is zero. The block is 64 zero bits (there is no additional data) and the
// number of bits; turned round it is the number in its low half.
func lengths(bits, m Register, a, b VecPhysical) {
	one, t := GP64(), Z14
	MOVL(U32(1), one.As32())
	twice := GP64()
	LEAQ(Mem{Base: m, Index: m, Scale: 1}, twice)
	SHLXQ(twice, one, one)
	KMOVB(one.As32(), K5)
	SHRQ(Imm(8), one)
	KMOVB(one.As32(), K6)
	VPBROADCASTQ(bits, t)
	VPORQ(t, a, K5, a)
	VPORQ(t, b, K6, b)
}

// lengthsLast makes the block of lengths the last lane of z.
func lengthsLast(bits Register, z VecPhysical) {
	half := GP32()
	MOVL(U32(1<<6), half)
	KMOVB(half, K5)
	VPBROADCASTQ(bits, K5, z)
}

// Sums of products, not reduced yet, and temporaries.
var lo, hi, mid, tmp, tmp2 = Z9, Z10, Z11, Z12, Z13

// product adds the four products of a register of turned blocks with powers to the
// sums, or begins them.
func product(first bool, blocks VecPhysical, power Op) {
	if first {
		VPCLMULQDQ(Imm(0x00), power, blocks, lo)
		VPCLMULQDQ(Imm(0x11), power, blocks, hi)
		VPCLMULQDQ(Imm(0x01), power, blocks, mid)
		VPCLMULQDQ(Imm(0x10), power, blocks, tmp)
		VPXORQ(tmp, mid, mid)
		return
	}
	VPCLMULQDQ(Imm(0x00), power, blocks, tmp)
	VPXORQ(tmp, lo, lo)
	VPCLMULQDQ(Imm(0x11), power, blocks, tmp)
	VPXORQ(tmp, hi, hi)
	VPCLMULQDQ(Imm(0x01), power, blocks, tmp)
	VPCLMULQDQ(Imm(0x10), power, blocks, tmp2)
	VPTERNLOGQ(Imm(0x96), tmp, tmp2, mid)
}

// reduce reduces the sums, lane by lane.
func reduce(to VecPhysical) {
	VPSLLDQ(Imm(8), mid, tmp)
	VPSRLDQ(Imm(8), mid, mid)
	VPXORQ(tmp, lo, lo)
	VPXORQ(mid, hi, hi)
	VPCLMULQDQ(Imm(0x01), lo, poly, tmp)
	VPSHUFD(Imm(0x4e), lo, lo)
	VPXORQ(tmp, lo, lo)
	VPCLMULQDQ(Imm(0x01), lo, poly, tmp)
	VPSHUFD(Imm(0x4e), lo, to)
	VPTERNLOGQ(Imm(0x96), tmp, hi, to)
}

// fold leaves the sum of hash's lanes in its first, and zeros in the others.
func fold() {
	VEXTRACTI64X4(Imm(1), hash, ymm(tmp))
	VPXOR(ymm(tmp), ymm(hash), ymm(hash))
	VEXTRACTI128(Imm(1), ymm(hash), xmm(tmp))
	VPXOR(xmm(tmp), xmm(hash), xmm(hash))
}

// multiply leaves in hash the sum of the four products of a register of turned blocks
// with the powers, reduced, and multiplyTwo the sum of the eight of two registers.
func multiply(blocks VecPhysical, power Op) {
	product(true, blocks, power)
	reduce(hash)
	fold()
}

func multiplyTwo(a, b VecPhysical, pa, pb Op) {
	product(true, a, pa)
	product(false, b, pb)
	reduce(hash)
	fold()
}

// raise leaves the reduced products of powers with by, lane by lane.
func raise(power Op, by, to VecPhysical) {
	product(true, by, power)
	reduce(to)
}

// turned is the turned copy of a register, in another.
func turned(from, to VecPhysical) { VPSHUFB(turn, from, to) }
