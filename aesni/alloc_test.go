package aesni

import "testing"

// TestHotPathDoesNotAllocate is a gate: an allocation for each packet would
// cost more than its encryption.
func TestHotPathDoesNotAllocate(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		const n = 100
		text, data := make([]byte, n), make([]byte, n+Overhead)
		large, largeData := make([]byte, 32739), make([]byte, 32767)
		ops := make([]Op, 32)
		for i := range ops {
			ops[i] = Op{Key: uint32(i % 2 * 9), Text: make([]byte, n), Data: make([]byte, n+Overhead)}
		}
		keys.SealVector(ops)
		ivs := NewIVSource(ivSeed(1))
		box, err := newBox(secret(5), keys.gcm)
		if err != nil {
			t.Fatal(err)
		}
		boxed := box.Seal(nil, &[12]byte{}, text)
		out := make([]byte, 0, 256)
		var ratchet [32]byte
		longKey := make([]byte, 100)

		for _, c := range []struct {
			name string
			f    func()
		}{
			// The Op is on the stack, as a caller's would be.
			{"Seal", func() { op := Op{Text: text, Data: data}; keys.Seal(&op) }},
			{"Open", func() { op := Op{Text: text, Data: data}; keys.Open(&op) }},
			{"Open forged", func() { op := Op{Key: 9, Text: text, Data: data}; keys.Open(&op) }},
			{"Prove", func() { op := Op{Data: data}; keys.Prove(&op) }},
			{"Seal 32767", func() { op := Op{Text: large, Data: largeData}; keys.Seal(&op) }},
			{"Open 32767", func() { op := Op{Text: large, Data: largeData}; keys.Open(&op) }},
			{"SealVector", func() { keys.SealVector(ops) }},
			{"OpenVector", func() { keys.OpenVector(ops) }},
			{"ProveVector", func() { keys.ProveVector(ops) }},
			{"Move", func() { keys.Move(8, 9); keys.Move(9, 8) }},
			{"IVSource.Next over refills", func() {
				var iv [12]byte
				for range 400 {
					ivs.Next(&iv, 0)
				}
			}},
			{"IVSource.Fill", func() { var nonce [18]byte; ivs.Fill(nonce[:]) }},
			{"HMAC", func() { var sequence [8]byte; HMAC(&ratchet, ratchet[:], labelEncryption, sequence[:]) }},
			{"HMAC, long key", func() { HMAC(&ratchet, longKey, labelEncryption) }},
			{"Sum256", func() { ratchet = Sum256(data) }},
			{"Equal", func() { Equal(data, boxed) }},
			{"Box.Seal", func() { var iv [12]byte; out = box.Seal(out[:0], &iv, text) }},
			{"Box.Open", func() { out, _ = box.Open(out[:0], boxed) }},
			{"Box.Open forged", func() { out, _ = box.Open(out[:0], data) }},
		} {
			if got := testing.AllocsPerRun(200, c.f); got != 0 {
				t.Errorf("%s allocates %v times", c.name, got)
			}
		}
	})
}
