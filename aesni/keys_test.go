package aesni

import (
	"bytes"
	"testing"
	"unsafe"
)

// opensUnder reports which of the secrets' packets the slot opens, if any.
func opensUnder(t *testing.T, keys *Keys, slot uint32, seeds ...byte) byte {
	t.Helper()
	for _, seed := range seeds {
		other := NewKeys()
		other.DeriveEncryption(0, secret(seed))
		op := Op{Text: make([]byte, 20), Data: make([]byte, 20+Overhead)}
		other.Seal(&op)
		op.Key = slot
		if keys.Open(&op); op.OK {
			return seed
		}
	}
	return 0
}

func TestMoveTakesBothKeysAndEmptiesTheSource(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(2, secret(1))
		keys.DeriveFulfillment(2, secret(1))
		proof := Op{Key: 2, Data: []byte("packet")}
		keys.Prove(&proof)
		keys.DeriveEncryption(70000, secret(2))

		keys.Move(70000, 2)
		if opensUnder(t, keys, 70000, 1, 2) != 1 {
			t.Error("the target does not hold the source's encryption key")
		}
		moved := Op{Key: 70000, Data: []byte("packet")}
		keys.Prove(&moved)
		if moved.Fulfillment != proof.Fulfillment {
			t.Error("the target does not hold the source's fulfillment key")
		}
		mustPanic(t, "aesni: open without an encryption key", func() { opensUnder(t, keys, 2, 1) })
		mustPanic(t, "aesni: prove without a fulfillment key", func() { keys.Prove(&proof) })

		keys.Move(70000, 70000)
		if opensUnder(t, keys, 70000, 1) != 1 {
			t.Error("moving to itself lost the keys")
		}
		mustPanic(t, "aesni: slot was never given keys", func() { keys.Move(1, 1<<30) })
	})
}

func TestMoveFromAnEmptySlotEmptiesTheTarget(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(0, secret(1))
		keys.Move(0, 1)
		mustPanic(t, "aesni: open without an encryption key", func() { opensUnder(t, keys, 0, 1) })
	})
}

func TestDeriveEncryptionDropsTheOldFulfillmentKey(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(0, secret(1))
		keys.DeriveFulfillment(0, secret(1))
		keys.DeriveEncryption(0, secret(2))
		if opensUnder(t, keys, 0, 1, 2) != 2 {
			t.Error("the slot does not hold the new key")
		}
		mustPanic(t, "aesni: prove without a fulfillment key", func() { keys.Prove(&Op{Data: []byte("packet")}) })
	})
}

func TestWipeEmptiesOneSlot(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(0, secret(1))
		keys.DeriveEncryption(1, secret(2))
		keys.Wipe(0)
		keys.Wipe(500)     // never used
		keys.Wipe(1 << 31) // far outside: must not grow the table
		if n := len(keys.segments); n != 1 {
			t.Errorf("wiping grew the table to %d segments", n)
		}
		mustPanic(t, "aesni: open without an encryption key", func() { opensUnder(t, keys, 0, 1) })
		if opensUnder(t, keys, 1, 2) != 2 {
			t.Error("the neighbour lost its key")
		}
	})
}

func TestNoDerivedKeyIsLeftInTheTable(t *testing.T) {
	keys := NewKeys()
	keys.DeriveEncryption(0, secret(1))
	keys.DeriveFulfillment(0, secret(1))
	if b, _ := keys.slot(0); keys.derived != [2][32]byte{} || b.has&hasDerived != 0 {
		t.Error("a derived key was not wiped")
	}
}

func TestTableGrowsWithoutMovingKeys(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(0, secret(1))
		first, _ := keys.slot(0)
		for slot := uint32(1); slot < 5*segmentSlots; slot += 17 {
			keys.DeriveEncryption(slot, secret(byte(slot)))
		}
		if now, _ := keys.slot(0); now != first {
			t.Error("a slot moved")
		}
		for slot := uint32(1); slot < 5*segmentSlots; slot += 17 {
			if got := opensUnder(t, keys, slot, byte(slot)); got != byte(slot) {
				t.Fatalf("slot %d lost its key", slot)
			}
		}
	})
}

func TestForcedTiers(t *testing.T) {
	full := implementation{gcmVAES512, sha16}
	for _, c := range []struct {
		forced string
		best   implementation
		fips   bool
		want   string
	}{
		{"", full, false, "vaes512+sha16"},
		{"", implementation{}, false, "stdlib"},
		{"", full, true, "stdlib"},
		{"stdlib", full, false, "stdlib"},
		{"generic", full, false, "stdlib"},
		{"aesni", full, false, "aesni+sha16"},
		{"sha2", full, false, "vaes512+sha2"},
		{"vaes256+stdsha", full, false, "vaes256+stdsha"},
		{"stdlib+sha2", full, false, "stdlib+sha2"},
		{"stdlib", full, true, "stdlib"},
	} {
		if got := choose(c.forced, c.best, c.fips).String(); got != c.want {
			t.Errorf("%q of %v, FIPS %t, chooses %s, want %s", c.forced, c.best, c.fips, got, c.want)
		}
	}
	for _, forced := range []string{"vaes512+aesni", "sha16+sha2", "stdlib+vaes512", "stdlib+generic", "stdlib+stdlib", "generic+sha2", "aesni+sha2+vaes256"} {
		mustPanic(t, "aesni: MILLRACE_AESNI="+forced+": no such tier here; the best is vaes512+sha16", func() { choose(forced, full, false) })
	}
	mustPanic(t, "aesni: MILLRACE_AESNI=avx1024: no such tier here; the best is vaes512+sha16", func() { choose("avx1024", full, false) })
	mustPanic(t, "aesni: MILLRACE_AESNI=vaes512: no such tier here; the best is aesni+sha2", func() {
		choose("vaes512", implementation{gcmAESNI, sha2}, false)
	})
	mustPanic(t, "aesni: MILLRACE_AESNI=aesni: no such tier here; the best is stdlib", func() { choose("aesni", full, true) })
	if Tier() == "" {
		t.Error("no tier was chosen")
	}
}

// What Wipe, Move and DeriveEncryption end is overwritten, not only unused.
func TestNothingIsLeftOfKeysThatHaveEnded(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		op := Op{Text: pattern(100, 1), Data: make([]byte, 128)}
		keys.Seal(&op)
		keys.Open(&op)
		keys.Prove(&op)
		keys.Move(1, 9)
		keys.Wipe(0)
		for _, slot := range []uint32{0, 9} {
			if b, _ := keys.slot(slot); *b != (block{}) {
				t.Errorf("slot %d: octets of keys are left", slot)
			}
		}
		if !allZero(keys.scratch) || keys.mac != [32]byte{} {
			t.Error("a plaintext or a fulfillment is left in the table's scratch")
		}
		keys.DeriveEncryption(1, secret(3))
		var key [32]byte
		HMAC(&key, secret(3), labelFulfillment)
		b, _ := keys.slot(1)
		if waits := b.has&hasDerived != 0; waits && *b.derived() != key || !waits && b.inner != [8]uint32{} || b.outer != [8]uint32{} {
			t.Error("the midstates of the connection before are left")
		}
		if keys.derived != [2][32]byte{} {
			t.Error("DeriveEncryption leaves the derived keys")
		}
		keys.DeriveFulfillment(1, secret(3))
		if keys.derived != [2][32]byte{} || *b.derived() == key || b.has&hasDerived != 0 {
			t.Error("DeriveFulfillment leaves the derived key")
		}
	})
}

// lender knows what it has lent, and checks that it comes back clear.
type lender struct {
	t   *testing.T
	out map[*byte]int
}

func (l *lender) Lend(n int) []byte {
	b := make([]byte, n+64)
	b = b[-int(uintptr(unsafe.Pointer(&b[0])))&63:][:n]
	l.out[&b[0]] = n
	return b
}

func (l *lender) Return(b []byte) {
	if l.out[&b[0]] != len(b) || !bytes.Equal(b, make([]byte, len(b))) {
		l.t.Errorf("%d octets come back, of %d; or they are not clear", len(b), l.out[&b[0]])
	}
	delete(l.out, &b[0])
}

func TestDroppedSlotsAreEmptyAndServeAgain(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys, l := newKeys(), &lender{t, map[*byte]int{}}
		keys.lender = l
		for _, slot := range []uint32{0, SegmentSlots, 3*SegmentSlots + 7, 4 * SegmentSlots} {
			keys.DeriveEncryption(slot, secret(byte(1+slot/SegmentSlots)))
			keys.DeriveFulfillment(slot, secret(byte(1+slot/SegmentSlots)))
		}
		if len(l.out) != 4 {
			t.Fatalf("%d segments are lent", len(l.out))
		}
		keys.Drop(SegmentSlots, 3*SegmentSlots) // of which the second was never used
		keys.Drop(9*SegmentSlots, SegmentSlots)
		if len(l.out) != 2 {
			t.Fatalf("%d segments are lent", len(l.out))
		}
		if opensUnder(t, keys, 0, 1) != 1 || opensUnder(t, keys, 4*SegmentSlots, 5) != 5 {
			t.Error("a slot that nobody dropped is empty")
		}
		keys.Fetch(SegmentSlots)
		keys.Wipe(SegmentSlots)
		mustPanic(t, "aesni: slot was never given keys", func() { keys.Prove(&Op{Key: SegmentSlots, Data: []byte("packet")}) })
		keys.DeriveEncryption(SegmentSlots, secret(9))
		if opensUnder(t, keys, SegmentSlots, 9) != 9 {
			t.Error("a dropped slot does not serve again")
		}
		mustPanic(t, "aesni: prove without a fulfillment key", func() { keys.Prove(&Op{Key: SegmentSlots, Data: []byte("packet")}) })
		mustPanic(t, "aesni: a part of a segment is dropped", func() { keys.Drop(SegmentSlots, 7) })
	})
}

// TestKeysOfSecretsOfAnyLength: they are HMACs under the secret, however they are come by.
func TestKeysOfSecretsOfAnyLength(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		for n := range 130 {
			shared := make([]byte, n)
			for i := range shared {
				shared[i] = byte(i*7 + n)
			}
			slot := uint32(n % 3)
			keys.DeriveEncryption(slot, shared)
			if n%2 == 0 { // it waits, and may be moved meanwhile
				keys.Move(5, slot)
				slot = 5
			}
			mustPanic(t, "aesni: prove without a fulfillment key", func() { keys.Prove(&Op{Key: slot, Data: []byte("packet")}) })
			var key, want [32]byte
			HMAC(&key, shared, []byte(LabelEncryption))
			op := Op{Key: slot, Text: []byte("plaintext"), Data: make([]byte, 9+Overhead)}
			keys.Seal(&op)
			aead, err := newGCM(key[:])
			if err != nil {
				t.Fatal(err)
			}
			sealed := append(append([]byte(nil), op.Data[Overhead:]...), op.Data[ivLen:Overhead]...)
			if text, err := aead.Open(nil, op.Data[:ivLen], sealed, nil); err != nil || string(text) != "plaintext" {
				t.Fatalf("%d octets: %q %v", n, text, err)
			}
			keys.DeriveFulfillment(slot, shared)
			op = Op{Key: slot, Data: []byte("packet")}
			keys.Prove(&op)
			HMAC(&key, shared, []byte(LabelFulfillment))
			if HMAC(&want, key[:], op.Data); op.Fulfillment != want {
				t.Fatalf("%d octets: another fulfillment key", n)
			}
		}
	})
}
