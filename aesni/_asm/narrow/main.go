// Command narrow generates what the tiers without AVX-512 are made of: AES over
// eight blocks at a time, in four ymm registers (VAES) or eight xmm registers
// (AES-NI), and GHASH over groups of four blocks. The package joins them, and pads
// and masks in Go: vectors have no octet masks there.
//
// Register plan: X0-X7 or Y0-Y3 the eight blocks, X8 the round key; X9-X15 are
// GHASH's, as in command gcm.
package main

import (
	"github.com/millrace-ilp/millrace/aesni/_asm/parts"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var turn, poly, one, turnLast Mem

func main() {
	ConstraintExpr("amd64,!purego,gc")
	turn = parts.Table("turnNarrow", 0x08090a0b0c0d0e0f, 0x0001020304050607)
	poly = parts.Table("polynomialNarrow", 1, 0xc200000000000000)
	one = parts.Table("oneNarrow", 0, 1<<32)
	turnLast = parts.Table("turnLastNarrow", 0x0706050403020100, 0x0c0d0e0f0b0a0908)
	for _, t := range []struct {
		suffix string
		wide   bool
	}{{"AVX", false}, {"VAES", true}} {
		encrypt8("encrypt8"+t.suffix, t.wide)
		counterMode("ctr"+t.suffix, t.wide)
	}
	groups()
	tail()
	Generate()
}

// states are the registers of eight blocks.
func states(wide bool) []VecPhysical {
	if wide {
		return []VecPhysical{Y0, Y1, Y2, Y3}
	}
	return []VecPhysical{X0, X1, X2, X3, X4, X5, X6, X7}
}

func width(wide bool) int {
	if wide {
		return 32
	}
	return 16
}

func aes(key Register, regs []VecPhysical, wide bool) {
	for r := range parts.Rounds + 1 {
		at := Mem{Base: key, Disp: parts.KeysAt + 16*r}
		rk := VecPhysical(X8)
		if wide {
			rk = Y8
			VBROADCASTI128(at, rk)
		} else {
			VMOVDQU(at, rk)
		}
		for _, s := range regs {
			switch r {
			case 0:
				VPXOR(rk, s, s)
			case parts.Rounds:
				VAESENCLAST(rk, s, s)
			default:
				VAESENC(rk, s, s)
			}
		}
	}
}

func encrypt8(name string, wide bool) {
	TEXT(name, NOSPLIT, "func(key *[384]byte, blocks *[128]byte)")
	Pragma("noescape")
	Doc(name + " encrypts eight blocks in place.")
	key := Load(Param("key"), GP64())
	blocks := Load(Param("blocks"), GP64())
	regs := states(wide)
	for i, s := range regs {
		VMOVDQU(Mem{Base: blocks, Disp: i * width(wide)}, s)
	}
	aes(key, regs, wide)
	for i, s := range regs {
		VMOVDQU(s, Mem{Base: blocks, Disp: i * width(wide)})
	}
	VZEROUPPER()
	RET()
}

// counterMode adds the keystream to units of 128 octets. Counters are kept as numbers,
// with the last dword turned round, in X9.
func counterMode(name string, wide bool) {
	TEXT(name, NOSPLIT, "func(key *[384]byte, counter *[16]byte, dst, src *byte, units int)")
	Pragma("noescape")
	Doc(name + " adds the keystream from counter on to units of 128 octets, and moves the counter on.")
	key := Load(Param("key"), GP64())
	counter := Load(Param("counter"), GP64())
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	units := Load(Param("units"), GP64())
	VMOVDQU(turnLast, X14)
	VMOVDQU(one, X15)
	VMOVDQU(Mem{Base: counter}, X9)
	VPSHUFB(X14, X9, X9)
	Label("loop")
	regs := states(wide)
	for i, s := range regs {
		if !wide {
			VPSHUFB(X14, X9, s)
			VPADDD(X15, X9, X9)
			continue
		}
		VPSHUFB(X14, X9, s.AsX())
		VPADDD(X15, X9, X9)
		VPSHUFB(X14, X9, X10)
		VPADDD(X15, X9, X9)
		VINSERTI128(Imm(1), X10, regs[i], regs[i])
	}
	aes(key, regs, wide)
	for i, s := range regs {
		VPXOR(Mem{Base: src, Disp: i * width(wide)}, s, s)
		VMOVDQU(s, Mem{Base: dst, Disp: i * width(wide)})
	}
	ADDQ(U32(128), src)
	ADDQ(U32(128), dst)
	DECQ(units)
	JNZ(LabelRef("loop"))
	VPSHUFB(X14, X9, X9)
	VMOVDQU(X9, Mem{Base: counter})
	VZEROUPPER()
	RET()
}

// Sums of the products of one group, unreduced, and the temporaries.
var lo, hi, mid, t, acc, block = X9, X10, X11, X12, X13, X0

// product adds a turned block times a power to the sums, or begins them.
func product(power Mem, first bool) {
	VMOVDQU(power, X1)
	if first {
		VPCLMULQDQ(Imm(0x00), X1, block, lo)
		VPCLMULQDQ(Imm(0x11), X1, block, hi)
		VPCLMULQDQ(Imm(0x01), X1, block, mid)
	} else {
		VPCLMULQDQ(Imm(0x00), X1, block, t)
		VPXOR(t, lo, lo)
		VPCLMULQDQ(Imm(0x11), X1, block, t)
		VPXOR(t, hi, hi)
		VPCLMULQDQ(Imm(0x01), X1, block, t)
		VPXOR(t, mid, mid)
	}
	VPCLMULQDQ(Imm(0x10), X1, block, t)
	VPXOR(t, mid, mid)
}

// reduce leaves the reduced sum in acc.
func reduce() {
	parts.Reduce(lo, mid, hi, t, X15, acc)
}

func hashBegin() (key, hash, data, n Register) {
	key = Load(Param("key"), GP64())
	hash = Load(Param("hash"), GP64())
	data = Load(Param("data"), GP64())
	n = Load(Param("n"), GP64())
	VMOVDQU(turn, X14)
	VMOVDQU(poly, X15)
	VMOVDQU(Mem{Base: hash}, acc)
	VPSHUFB(X14, acc, acc)
	return key, hash, data, n
}

func hashEnd(hash Register) {
	VPSHUFB(X14, acc, acc)
	VMOVDQU(acc, Mem{Base: hash})
	RET()
}

func groups() {
	TEXT("ghash4AVX", NOSPLIT, "func(key *[384]byte, hash *[16]byte, data *byte, n int)")
	Pragma("noescape")
	Doc("ghash4AVX hashes n groups of four blocks.")
	key, hash, data, n := hashBegin()
	Label("loop")
	for i := range 4 {
		VMOVDQU(Mem{Base: data, Disp: 16 * i}, block)
		VPSHUFB(X14, block, block)
		if i == 0 {
			VPXOR(acc, block, block)
		}
		product(Mem{Base: key, Disp: parts.PowersAt + 16*i}, i == 0)
	}
	reduce()
	ADDQ(Imm(64), data)
	DECQ(n)
	JNZ(LabelRef("loop"))
	hashEnd(hash)
}

func tail() {
	TEXT("ghashTailAVX", NOSPLIT, "func(key *[384]byte, hash *[16]byte, data *byte, n int)")
	Pragma("noescape")
	Doc("ghashTailAVX hashes one group of n blocks, 1 to 4.")
	key, hash, data, n := hashBegin()
	// The powers of n blocks begin n blocks before the table's end.
	power := GP64()
	MOVQ(n, power)
	NEGQ(power)
	SHLQ(Imm(4), power)
	LEAQ(Mem{Base: key, Index: power, Scale: 1, Disp: parts.PowersAt + 64}, power)
	VPXOR(lo, lo, lo)
	VPXOR(hi, hi, hi)
	VPXOR(mid, mid, mid)
	Label("loop")
	VMOVDQU(Mem{Base: data}, block)
	VPSHUFB(X14, block, block)
	VPXOR(acc, block, block)
	VPXOR(acc, acc, acc)
	product(Mem{Base: power}, false)
	ADDQ(Imm(16), data)
	ADDQ(Imm(16), power)
	DECQ(n)
	JNZ(LabelRef("loop"))
	reduce()
	hashEnd(hash)
}
