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

// hmacBlock computes an HMAC of a message of one block.
func hmacBlock() {
	TEXT("hmacBlockSHA", 0, "func(sum *[32]byte, key *[64]byte, message *[64]byte)")
	Pragma("noescape")
	Doc("hmacBlockSHA computes the HMAC of a message of one padded block under a key that is filled up with zeros.")
	sum := Load(Param("sum"), GP64())
	key := Load(Param("key"), GP64())
	message := Load(Param("message"), GP64())
	lanes := lanesOf(2)
	inner, outer := lanes[:1], &lanes[1]
	begin(lanes, key)
	inner[0].load(Mem{Base: message}, X15)
	compress(inner)
	inner[0].digest()
	inner[0].padded(tables.outer)
	VMOVDQA(outer.abef, inner[0].abef)
	VMOVDQA(outer.cdgh, inner[0].cdgh)
	compress(inner)
	inner[0].digest()
	inner[0].store(Mem{Base: sum})
	VZEROALL()
	RET()
}
