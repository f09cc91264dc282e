package aesni

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// differ seals, opens and proves one packet on every tier that runs here and holds each
// to the standard library.
type differ struct {
	t     testing.TB
	box   *Box
	std   *Keys
	tiers []*Keys
}

func newDiffer(t testing.TB, sharedSecret []byte) *differ {
	d := &differ{t: t, std: newKeys(implementation{})}
	for g := gcmStdlib; g <= best.gcm; g++ {
		for s := shaStdlib; s <= best.sha; s++ {
			d.tiers = append(d.tiers, newKeys(implementation{g, s}))
		}
	}
	d.rekey(sharedSecret)
	return d
}

func (d *differ) rekey(sharedSecret []byte) {
	var key [32]byte
	HMAC(&key, sharedSecret, labelEncryption)
	var err error
	if d.box, err = newBox(key[:], gcmStdlib); err != nil {
		d.t.Fatal(err)
	}
	for _, k := range append(d.tiers, d.std) {
		k.DeriveEncryption(0, sharedSecret)
		k.DeriveFulfillment(0, sharedSecret)
	}
}

// check does one packet: text lies where it lies, and the envelope is made in data,
// which is 28 octets longer.
func (d *differ) check(iv [12]byte, text, data []byte) {
	d.t.Helper()
	want := d.box.Seal(nil, &iv, text)
	proved := Op{Data: want}
	d.std.Prove(&proved)
	plain := bytes.Clone(text)
	for _, k := range d.tiers {
		op := Op{Text: text, Data: data, IV: iv}
		k.Seal(&op)
		if !bytes.Equal(data, want) {
			d.t.Fatalf("%v seals %d octets to\n%x, want\n%x", k.implementation, len(text), data, want)
		}
		k.Prove(&op)
		if op.Fulfillment != proved.Fulfillment || op.Condition != proved.Condition {
			d.t.Fatalf("%v proves %d octets with\n%x, want\n%x", k.implementation, len(data), op.Fulfillment, proved.Fulfillment)
		}
		clear(text)
		if k.Open(&op); !op.OK || !bytes.Equal(text, plain) {
			d.t.Fatalf("%v opens %d octets: %t", k.implementation, len(text), op.OK)
		}
	}
}

// forge changes one bit, and every tier must refuse and write nothing.
func (d *differ) forge(data, text []byte, bit int) {
	d.t.Helper()
	data[bit/8] ^= 1 << (bit % 8)
	before := bytes.Clone(text)
	for _, k := range d.tiers {
		op := Op{Text: text, Data: data}
		if k.Open(&op); op.OK || !bytes.Equal(text, before) {
			d.t.Fatalf("%v: bit %d of %d octets is changed: OK %t, text changed %t", k.implementation, bit, len(data), op.OK, !bytes.Equal(text, before))
		}
	}
	data[bit/8] ^= 1 << (bit % 8)
}

func TestEveryTierGivesWhatTheStandardLibraryGives(t *testing.T) {
	d := newDiffer(t, secret(1))
	r := rand.New(rand.NewPCG(1, 2))
	lengths := make([]int, 0, 1300)
	for n := range 1101 {
		lengths = append(lengths, n)
	}
	for range 60 {
		lengths = append(lengths, r.IntN(32740))
	}
	lengths = append(lengths, 16*253, 16*254, 16*255, 16*256, 16*257, 32739) // counters that carry
	for _, n := range lengths {
		text, data := pattern(n, byte(n)), make([]byte, n+Overhead)
		d.check([12]byte(pattern(12, byte(n>>3))), text, data)
		d.forge(data, text, r.IntN(8*len(data)))
	}
}

func TestEveryAlignment(t *testing.T) {
	d := newDiffer(t, secret(2))
	from, to := make([]byte, 2048), make([]byte, 2048)
	for at := range 64 {
		for _, n := range []int{0, 1, 15, 16, 17, 32, 47, 48, 49, 63, 64, 65, 100, 112, 113, 127, 128, 129, 240, 241, 255, 256, 257, 500, 768, 1000} {
			text := from[at : at+n : at+n]
			copy(text, pattern(n, byte(at)))
			d.check([12]byte(pattern(12, byte(at))), text, to[63-at:][:n+Overhead:n+Overhead])
		}
	}
}

func TestInPlace(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		box := boxOf(t, 0)
		for n := range maxLength + 1 {
			data := make([]byte, n+Overhead)
			copy(data[Overhead:], pattern(n, 1))
			op := Op{Text: data[Overhead:], Data: data, IV: [12]byte{7}}
			keys.Seal(&op)
			if !bytes.Equal(data, box.Seal(nil, &op.IV, pattern(n, 1))) {
				t.Fatalf("%d octets: sealed in place to another envelope", n)
			}
			if keys.Open(&op); !op.OK || !bytes.Equal(op.Text, pattern(n, 1)) {
				t.Fatalf("%d octets: opened in place to another text", n)
			}
		}
	})
}

// The lanes may hold any mix of lengths and keys.
func TestEveryMixOfLengthsOverTheLanes(t *testing.T) {
	std := newKeys(implementation{})
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		r := rand.New(rand.NewPCG(3, 4))
		keys := newKeys()
		for slot := range uint32(8) {
			for _, k := range []*Keys{keys, std} {
				k.DeriveEncryption(slot, secret(byte(slot)))
				k.DeriveFulfillment(slot, secret(byte(slot)))
			}
		}
		check := func(lengths ...int) {
			t.Helper()
			ops := make([]Op, len(lengths))
			for i, n := range lengths {
				ops[i] = Op{Key: r.Uint32N(8), Data: pattern(max(n, 0), byte(i))}
				if n < 0 {
					ops[i].Data = nil
				}
			}
			want := append([]Op(nil), ops...)
			keys.ProveVector(ops)
			for i := range want {
				std.Prove(&want[i])
				if ops[i].Fulfillment != want[i].Fulfillment || ops[i].Condition != want[i].Condition {
					t.Fatalf("lengths %v: packet %d is proved otherwise", lengths, i)
				}
			}
		}
		edges := []int{0, 28, 55, 56, 63, 64, 119, 120, 128, 183, 184, 300}
		for _, a := range edges {
			for _, b := range edges {
				for _, c := range edges {
					check(a, b, c, edges[r.IntN(len(edges))])
				}
			}
		}
		for n := range 130 {
			lengths := make([]int, n)
			for i := range lengths {
				lengths[i] = r.IntN(200) - 1 + r.IntN(2)*r.IntN(2)*r.IntN(2000)
			}
			check(lengths...)
		}
	})
}

func TestLongCallsAreSplit(t *testing.T) {
	ops := make([]Op, 200)
	for i := range ops {
		ops[i].Data = make([]byte, 100)
	}
	for _, c := range []struct {
		n, octets int
		want      int
	}{{1, 100, 1}, {64, 100, 64}, {65, 100, 64}, {200, 100, 64}, {64, 2048, 64}, {64, 2049, 63}, {5, 32767, 4}, {3, 70_000, 1}, {2, 1 << 20, 1}} {
		for i := range ops[:c.n] {
			ops[i].Data = make([]byte, c.octets)
		}
		if n := batch(ops[:c.n]); n != c.want {
			t.Errorf("of %d packets of %d octets %d go together, want %d", c.n, c.octets, n, c.want)
		}
	}
	// What is longer than a kernel may be is still right.
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		d := newDiffer(t, secret(9))
		d.tiers = []*Keys{newKeys()}
		d.rekey(secret(9))
		for _, n := range []int{128 << 10, 128<<10 + 1, 400_003, 1<<20 + 5} {
			text := pattern(n, 1)
			data := make([]byte, n+Overhead)
			d.check([12]byte{1}, text, data)
			d.forge(data, text, 8*n)
		}
	})
}

func TestEveryBitFlipIsRefusedAndWritesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	d := newDiffer(t, secret(3))
	for _, n := range []int{0, 1, 40, 100, 113, 241, 300} {
		text, data := pattern(n, 3), make([]byte, n+Overhead)
		d.check([12]byte{9}, text, data)
		for bit := range 8 * len(data) {
			d.forge(data, text, bit)
		}
	}
}
