package aesni

import (
	"bytes"
	"testing"
)

const maxLength = 1100

// twoSlots returns a table with keys of both kinds in slots 0 and 9.
func twoSlots(newKeys func() *Keys) *Keys {
	keys := newKeys()
	for _, slot := range []uint32{0, 9} {
		keys.DeriveEncryption(slot, secret(byte(slot)))
		keys.DeriveFulfillment(slot, secret(byte(slot)))
	}
	return keys
}

func TestOpenGivesWhatWasSealedAtEveryLength(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		box := boxOf(t, 9)
		for n := range maxLength + 1 {
			plaintext := pattern(n, byte(n))
			iv := [12]byte(pattern(12, byte(n)))
			data, checkData := guarded(t, n+Overhead)
			op := Op{Key: 9, Text: plaintext, Data: data, IV: iv}
			keys.Seal(&op)
			checkData()
			if !bytes.Equal(plaintext, pattern(n, byte(n))) {
				t.Fatalf("%d octets: seal changed the plaintext", n)
			}
			if want := box.Seal(nil, &iv, plaintext); !bytes.Equal(data, want) {
				t.Fatalf("%d octets: sealed to\n%x, box to\n%x", n, data, want)
			}

			text, checkText := guarded(t, n)
			before := bytes.Clone(data)
			op = Op{Key: 9, Text: text, Data: data}
			keys.Open(&op)
			checkText()
			checkData()
			if !op.OK || !bytes.Equal(text, plaintext) || !bytes.Equal(data, before) {
				t.Fatalf("%d octets: opened %t to %x", n, op.OK, text)
			}
			if op.IV != [12]byte{} {
				t.Fatal("open wrote the IV")
			}
		}
	})
}

// boxOf returns a box of the standard library's with the encryption key that slot
// derives: what the tiers are held to.
func boxOf(t testing.TB, slot uint32) *Box {
	var key [32]byte
	HMAC(&key, secret(byte(slot)), []byte(LabelEncryption))
	box, err := newBox(key[:], gcmStdlib)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestSealInPlace(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		for n := range maxLength + 1 {
			apart := Op{Text: pattern(n, 1), Data: make([]byte, n+Overhead), IV: [12]byte{7}}
			keys.Seal(&apart)
			data, check := guarded(t, n+Overhead)
			copy(data[Overhead:], pattern(n, 1))
			in := Op{Text: data[Overhead:], Data: data, IV: [12]byte{7}}
			keys.Seal(&in)
			check()
			if !bytes.Equal(in.Data, apart.Data) {
				t.Fatalf("%d octets: in place gives another envelope", n)
			}
		}
	})
}

func TestOpenRefusesEverySingleBitFlip(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		box := boxOf(t, 0)
		for _, n := range []int{0, 1, 16, 48, 49, 100, 112, 113, 128, 240, 241, 256, 511} {
			data := make([]byte, n+Overhead)
			keys.Seal(&Op{Text: pattern(n, 3), Data: data, IV: [12]byte(pattern(12, 4))})
			for bit := range 8 * len(data) {
				data[bit/8] ^= 1 << (bit % 8)
				text := bytes.Repeat([]byte{0xEE}, n)
				op := Op{Text: text, Data: data, OK: true}
				keys.Open(&op)
				if op.OK || !bytes.Equal(text, bytes.Repeat([]byte{0xEE}, n)) {
					t.Fatalf("%d octets, bit %d flipped: OK %t, text %x", n, bit, op.OK, text)
				}
				out, ok := box.Open(make([]byte, 2, n+64), data)
				if ok || len(out) != 2 || !allZero(out[:cap(out)]) {
					t.Fatalf("%d octets, bit %d flipped: box says %t, leaves %x", n, bit, ok, out[:cap(out)])
				}
				data[bit/8] ^= 1 << (bit % 8)
			}
			op := Op{Text: make([]byte, n), Data: data}
			if keys.Open(&op); !op.OK {
				t.Fatal("the undamaged packet does not open")
			}
		}
	})
}

func TestOpenRefusesEveryOtherLength(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		data := make([]byte, 100+Overhead)
		keys.Seal(&Op{Text: pattern(100, 3), Data: data})
		data = append(data, 0)
		for n := range len(data) + 1 {
			text := bytes.Repeat([]byte{0xEE}, 101)
			op := Op{Text: text, Data: data[:n], OK: true}
			keys.Open(&op)
			if op.OK != (n == 100+Overhead) {
				t.Fatalf("%d octets of 128: OK %t", n, op.OK)
			}
			if !op.OK && !bytes.Equal(text, bytes.Repeat([]byte{0xEE}, 101)) {
				t.Fatalf("%d octets: left %x", n, text)
			}
		}
	})
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		op := Op{Key: 0, Text: pattern(64, 1), Data: make([]byte, 64+Overhead)}
		keys.Seal(&op)
		op.Key = 9
		keys.Open(&op)
		if op.OK || !bytes.Equal(op.Text, pattern(64, 1)) {
			t.Error("a packet opens under the key of another connection")
		}
	})
}

func TestLongestEnvelopeAndBeyond(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		for _, n := range []int{32739, scratchLen - tagLen, scratchLen - tagLen + 1, 3 * scratchLen} {
			op := Op{Text: pattern(n, 1), Data: make([]byte, n+Overhead)}
			keys.Seal(&op)
			op.Text = make([]byte, n)
			keys.Open(&op)
			if !op.OK || !bytes.Equal(op.Text, pattern(n, 1)) {
				t.Errorf("%d octets do not open", n)
			}
		}
	})
}

func TestNilDataIsPassedOver(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys() // no slot has keys, so touching one would panic
		op := Op{Key: 77, OK: true, Text: []byte{1}, IV: [12]byte{2}, Fulfillment: [32]byte{3}, Condition: [32]byte{4}}
		keys.Seal(&op)
		keys.Prove(&op)
		if !op.OK {
			t.Error("seal or prove changed OK")
		}
		keys.Open(&op)
		if op.OK {
			t.Error("open calls nothing genuine")
		}
		if op.Text[0] != 1 || op.IV != [12]byte{2} || op.Fulfillment != [32]byte{3} || op.Condition != [32]byte{4} {
			t.Error("a field changed")
		}
	})
}

func TestMisusePanics(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		mustPanic(t, "aesni: slot was never given keys", func() { keys.Open(&Op{Key: 1 << 20, Data: make([]byte, 28)}) })
		keys.DeriveEncryption(0, secret(0))
		mustPanic(t, "aesni: open without an encryption key", func() { keys.Open(&Op{Key: 1, Data: make([]byte, 28)}) })
		mustPanic(t, "aesni: seal without an encryption key", func() { keys.Seal(&Op{Key: 1, Data: make([]byte, 28)}) })
		mustPanic(t, "aesni: prove without a fulfillment key", func() { keys.Prove(&Op{Data: make([]byte, 28)}) })
		mustPanic(t, "aesni: open: no room in Text", func() { keys.Open(&Op{Data: make([]byte, 30), Text: make([]byte, 1)}) })
		for _, n := range []int{0, 27, 29, 100} {
			mustPanic(t, "aesni: seal: Data must be Text and 28 octets long", func() { keys.Seal(&Op{Data: make([]byte, n)}) })
		}
	})
}
