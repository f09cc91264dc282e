package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// begin leaves the states of an HMAC after the block of a key (RFC 2104) in two lanes:
// the inner one's and the outer one's.
func begin(lanes []lane, key Register) {
	VMOVDQU(tables.turn, X15)
	for i := range 4 {
		w, v := lanes[0].words[i], lanes[1].words[i]
		VMOVDQU(Mem{Base: key, Disp: 16 * i}, w)
		VPXOR(tables.pads.Offset(16), w, v)
		VPXOR(tables.pads, w, w)
		VPSHUFB(X15, v, v)
		VPSHUFB(X15, w, w)
	}
	for i := range lanes {
		lanes[i].state(tables.start)
	}
	compress(lanes)
}

// midstates computes the states of an HMAC after the block of its key.
func midstates() {
	TEXT("midstatesSHA", 0, "func(inner, outer *[8]uint32, key *[64]byte)")
	Pragma("noescape")
	Doc("midstatesSHA computes the states of an HMAC after the block of a key, which is filled up with zeros.")
	inner := Load(Param("inner"), GP64())
	outer := Load(Param("outer"), GP64())
	key := Load(Param("key"), GP64())
	lanes := lanesOf(2)
	begin(lanes, key)
	for i, to := range []Register{inner, outer} {
		VMOVDQU(lanes[i].abef, Mem{Base: to})
		VMOVDQU(lanes[i].cdgh, Mem{Base: to, Disp: 16})
	}
	RET()
}

// hmacPair computes the HMACs of two messages of one block under one key.
func hmacPair() {
	TEXT("hmacPairSHA", 0, "func(sums *[2][32]byte, key *[64]byte, messages *[2][64]byte)")
	Pragma("noescape")
	Doc("hmacPairSHA computes the HMACs of two messages of one padded block under one key that is filled up with zeros.")
	sums := Load(Param("sums"), GP64())
	key := Load(Param("key"), GP64())
	messages := Load(Param("messages"), GP64())
	lanes := lanesOf(2)
	outer := AllocLocal(32)
	begin(lanes, key)
	VMOVDQU(lanes[1].abef, outer)
	VMOVDQU(lanes[1].cdgh, outer.Offset(16))
	VMOVDQA(lanes[0].abef, lanes[1].abef)
	VMOVDQA(lanes[0].cdgh, lanes[1].cdgh)
	for i := range lanes {
		lanes[i].load(Mem{Base: messages, Disp: 64 * i}, X15)
	}
	compress(lanes)
	for i := range lanes {
		lanes[i].digest()
		lanes[i].padded(tables.outer)
		lanes[i].state(outer)
	}
	compress(lanes)
	for i := range lanes {
		lanes[i].digest()
		lanes[i].store(Mem{Base: sums, Disp: 32 * i})
	}
	VZEROALL()
	for _, m := range []Mem{outer, lanes[0].saved, lanes[1].saved} {
		VMOVDQU(X0, m)
		VMOVDQU(X0, m.Offset(16))
	}
	RET()
}
