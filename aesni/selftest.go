package aesni

import "crypto/sha256"

// The chosen tier shows at start that it works here: one envelope of the GCM
// specification (case 14, with the tag as STREAM places it), one proof. A processor, a
// hypervisor or a build that computes something else must not move money.
func init() {
	if chosen != (implementation{}) {
		selfTest(chosen)
	}
}

func selfTest(use implementation) {
	k := newKeys(use)
	k.expandEncryption(0, new([32]byte))
	k.expandFulfillment(0, new([32]byte))
	var text [16]byte
	var data [16 + Overhead]byte
	op := Op{Text: text[:], Data: data[:]}
	k.Seal(&op)
	want := [16 + Overhead]byte{
		12: 0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19, // tag
		0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
	}
	if data != want {
		panic("aesni: self-test of sealing failed on tier " + use.String())
	}
	if k.Open(&op); !op.OK {
		panic("aesni: self-test of opening failed on tier " + use.String())
	}
	data[len(data)-1] ^= 1
	if k.Open(&op); op.OK {
		panic("aesni: self-test of refusing failed on tier " + use.String())
	}
	ops := [3]Op{{Data: data[:]}, {Data: data[:3]}, {Data: data[:]}}
	k.ProveVector(ops[:])
	for i := range ops {
		var proved [32]byte
		HMAC(&proved, make([]byte, 32), ops[i].Data)
		if ops[i].Fulfillment != proved || ops[i].Condition != sha256.Sum256(proved[:]) {
			panic("aesni: self-test of proving failed on tier " + use.String())
		}
	}
}
