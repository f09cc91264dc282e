// Command sha generates the SHA-256 kernels over the SHA extensions: whole blocks of
// one message or of two, and the fulfillment and condition of one packet or of four.
//
// The processor finishes one sha256rnds2 in four cycles and can begin one each cycle,
// so one message alone uses a quarter of it. Four messages side by side hide the
// latency; their sixteen message registers need X16-X31, which the SHA instructions
// do not reach, and go through X9-X14.
//
// State is kept as those instructions want it, in two registers: A B E F and C D G H,
// first word highest.
//
// Register plan:
//
//	X0       round keys and message words, implicit operand of sha256rnds2
//	X1-X8    states of the lanes, two each
//	X5-X12   message words, with one lane or two
//	X16-X31  message words, with four: X16-X19 are the first lane's
//	X9-X14   temporaries; X13 and X14 only, with one lane or two
//	X15      shuffle that turns each word round
package main

import (
	"fmt"

	"github.com/millrace-ilp/millrace/aesni/_asm/constants"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var high = [16]VecPhysical{X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30, X31}

var low = [8]VecPhysical{X5, X6, X7, X8, X9, X10, X11, X12}

// lane is one message's registers.
type lane struct {
	abef, cdgh VecPhysical
	words      [4]VecPhysical
	t, u, v    VecPhysical // temporaries, where words are out of reach
	saved      Mem         // 32 octets for the state at the block's beginning
}

func (l *lane) high() bool { return l.t != nil }

func table(name string, words []uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := 0; i < len(words); i += 2 {
		DATA(4*i, U64(uint64(words[i])|uint64(words[i+1])<<32))
	}
	return m
}

var tables struct{ k, turn, start, outer, condition, pads Mem }

func main() {
	ConstraintExpr("amd64,!purego,gc")
	k, start := constants.SHA256()
	tables.k = table("roundsSHA", k[:])
	tables.turn = table("turnWords", []uint32{0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f})
	tables.start = table("startSHA", []uint32{start[5], start[4], start[1], start[0], start[7], start[6], start[3], start[2]})
	// The second half of a block that holds 32 octets: of the outer hash, behind one
	// block of key, and of the condition.
	tables.outer = table("padOuter", []uint32{1 << 31, 0, 0, 0, 0, 0, 0, (64 + 32) * 8})
	tables.condition = table("padCondition", []uint32{1 << 31, 0, 0, 0, 0, 0, 0, 32 * 8})

	inner, outer := uint32(0x36363636), uint32(0x5c5c5c5c)
	tables.pads = table("padsHMAC", []uint32{inner, inner, inner, inner, outer, outer, outer, outer})

	blocks("blocksSHA", 1)
	blocks("blocks2SHA", 2)
	midstates()
	hmacPair()
	prove("proveAVX512", 1)
	prove("prove4AVX512", 4)
	Generate()
}

// lanesOf gives n lanes their registers and room on the stack.
func lanesOf(n int) []lane {
	all := make([]lane, n)
	for i := range all {
		l := &all[i]
		l.saved = AllocLocal(32)
		l.abef, l.cdgh = [4]VecPhysical{X1, X3, X5, X7}[i], [4]VecPhysical{X2, X4, X6, X8}[i]
		if n == 4 {
			copy(l.words[:], high[4*i:])
			l.t, l.u, l.v = X9, X10, X11
			if i%2 == 1 {
				l.t, l.u, l.v = X12, X13, X14
			}
			continue
		}
		copy(l.words[:], low[4*i:])
	}
	return all
}

// compress runs the 64 rounds over the words of every lane and adds the state before.
func compress(lanes []lane) {
	for i := range lanes {
		VMOVDQU(lanes[i].abef, lanes[i].saved)
		VMOVDQU(lanes[i].cdgh, lanes[i].saved.Offset(16))
	}
	for r := range 16 {
		for i := range lanes {
			lanes[i].fourRounds(r)
		}
	}
	for i := range lanes {
		VPADDD(lanes[i].saved, lanes[i].abef, lanes[i].abef)
		VPADDD(lanes[i].saved.Offset(16), lanes[i].cdgh, lanes[i].cdgh)
	}
}

// fourRounds does rounds 4r to 4r+3, and what of the message schedule is due: w holds
// words 4r to 4r+3, those before and after it the words of the steps before and after.
func (l *lane) fourRounds(r int) {
	w, before, after := l.words[r%4], l.words[(r+3)%4], l.words[(r+1)%4]
	VPADDD(tables.k.Offset(16*r), w, X0)
	low := w
	if l.high() && r < 15 {
		VMOVDQA64(w, l.v)
		low = l.v
	}
	if r >= 3 && r < 15 { // finish the words of the next step
		t, u := X13, after
		if l.high() {
			t, u = l.t, l.u
		}
		VPALIGNR(Imm(4), before, w, t)
		VPADDD(t, after, u)
		SHA256MSG2(low, u)
		if l.high() {
			VMOVDQA64(u, after)
		}
	}
	SHA256RNDS2(X0, l.abef, l.cdgh)
	VPSHUFD(Imm(0x0e), X0, X0)
	SHA256RNDS2(X0, l.cdgh, l.abef)
	if r >= 1 && r < 13 { // begin those of three steps ahead
		u := before
		if l.high() {
			u = l.t
			VMOVDQA64(before, u)
		}
		SHA256MSG1(low, u)
		if l.high() {
			VMOVDQA64(u, before)
		}
	}
}

// load takes a block's words from memory.
func (l *lane) load(from Mem, turn Op) {
	for i, w := range l.words {
		if l.high() {
			VMOVDQU32(from.Offset(16*i), w)
		} else {
			VMOVDQU(from.Offset(16*i), w)
		}
		VPSHUFB(turn, w, w)
	}
}

// digest turns the state into the first eight words of the next block, in order.
func (l *lane) digest() {
	t, u := X13, X14
	VPSHUFD(Imm(0x1b), l.abef, t) // A B E F, the first word lowest
	VPSHUFD(Imm(0xb1), l.cdgh, u) // G H C D
	VPBLENDW(Imm(0xf0), u, t, X0)
	l.move(X0, l.words[0]) // A B C D
	VPALIGNR(Imm(8), t, u, t)
	l.move(t, l.words[1]) // E F G H
}

func (l *lane) move(from, to VecPhysical) {
	if l.high() {
		VMOVDQA64(from, to)
	} else {
		VMOVDQA(from, to)
	}
}

// padded puts the second half of a block of 32 octets behind the digest.
func (l *lane) padded(pad Mem) {
	for i := range 2 {
		if l.high() {
			VMOVDQU32(pad.Offset(16*i), l.words[2+i])
		} else {
			VMOVDQU(pad.Offset(16*i), l.words[2+i])
		}
	}
}

// store writes the digest that is in the first eight words.
func (l *lane) store(to Mem) {
	for i := range 2 {
		VPSHUFB(X15, l.words[i], X13)
		VMOVDQU(X13, to.Offset(16*i))
	}
}

func (l *lane) state(from Mem) {
	VMOVDQU(from, l.abef)
	VMOVDQU(from.Offset(16), l.cdgh)
}

// blocks compresses n blocks of as many messages as there are lanes.
func blocks(name string, n int) {
	signature := "func(state *[8]uint32, p *byte, n int)"
	if n == 2 {
		signature = "func(state, state2 *[8]uint32, p, p2 *byte, n int)"
	}
	TEXT(name, 0, signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s compresses n blocks of %d messages, with states in the order of the SHA extensions.", name, n))
	lanes := lanesOf(n)
	var states, data [2]Register
	for i, suffix := range []string{"", "2"}[:n] {
		states[i] = Load(Param("state"+suffix), GP64())
		data[i] = Load(Param("p"+suffix), GP64())
		lanes[i].state(Mem{Base: states[i]})
	}
	left := Load(Param("n"), GP64())
	VMOVDQU(tables.turn, X15)
	TESTQ(left, left)
	JZ(LabelRef("done"))
	Label("loop")
	for i := range lanes {
		lanes[i].load(Mem{Base: data[i]}, X15)
		ADDQ(Imm(64), data[i])
	}
	compress(lanes)
	DECQ(left)
	JNZ(LabelRef("loop"))
	Label("done")
	for i := range lanes {
		VMOVDQU(lanes[i].abef, Mem{Base: states[i]})
		VMOVDQU(lanes[i].cdgh, Mem{Base: states[i], Disp: 16})
	}
	RET()
}
