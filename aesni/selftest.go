package aesni

import (
	"crypto/sha256"
	"crypto/subtle"
)

// The chosen tier shows at start, in some ten microseconds, that every kernel of it
// works here: one envelope of the GCM specification (case 14, with the tag as STREAM
// places it), others against the standard library, and proofs in all its lanes. A
// processor, a hypervisor or a build that computes something else must not move money.
func init() {
	if chosen != (implementation{}) {
		selfTest(chosen)
	}
}

func selfTest(use implementation) {
	k, std := newKeys(use), newKeys(implementation{})
	for _, table := range []*Keys{k, std} {
		table.expandEncryption(0, new([32]byte))
		table.expandFulfillment(0, new([32]byte))
	}
	must := func(ok bool, what string) {
		if !ok {
			panic("aesni: self-test of " + what + " failed on tier " + use.String())
		}
	}
	want := [16 + Overhead]byte{
		12: 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19, // tag
		0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
	}
	var text, back [600]byte
	var data, expected [600 + Overhead]byte
	// Of each form of the kernels one: short, two groups, chunks of 256 and 128 octets.
	for _, n := range [...]int{16, 0, 100, 200, 600, 510} {
		op := Op{Text: text[:n], Data: data[:n+Overhead]}
		same := Op{Text: text[:n], Data: expected[:n+Overhead]}
		k.Seal(&op)
		std.Seal(&same)
		must(subtle.ConstantTimeCompare(op.Data, same.Data) == 1, "sealing")
		must(n != len(want)-Overhead || [len(want)]byte(data[:]) == want, "sealing")
		op.Text = back[:n]
		k.Open(&op)
		must(op.OK && back == text, "opening")
		op.Data[n/2+ivLen] ^= 1
		k.Open(&op)
		must(!op.OK, "refusing")
		for i := range n {
			text[i] = byte(i + n)
		}
		back = text
	}
	// Sixteen lanes, four and one, of three blocks; and one of a single block.
	var ops [22]Op
	for i := range ops {
		ops[i].Data = data[i : 150+i]
	}
	ops[21].Data = data[:3]
	for n := len(ops); n > 0; n -= 7 {
		k.ProveVector(ops[:n])
		for i := range ops[:n] {
			var proved [32]byte
			HMAC(&proved, make([]byte, 32), ops[i].Data)
			must(ops[i].Fulfillment == proved && ops[i].Condition == sha256.Sum256(proved[:]), "proving")
		}
	}
}
