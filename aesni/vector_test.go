package aesni

import (
	"bytes"
	"reflect"
	"testing"
)

// mixedOps returns n ops over both slots, of lengths up to maxLength, some with
// nil Data. Each call gives equal ops in memory of its own.
func mixedOps(n int, seed byte) []Op {
	ops := make([]Op, n)
	for i := range ops {
		length := (i*397 + int(seed)*31) % (maxLength + 1)
		if i == 0 {
			length = 0
		}
		ops[i] = Op{
			Key:  uint32(i % 2 * 9),
			Text: pattern(length, byte(i)+seed),
			Data: make([]byte, length+Overhead),
			IV:   [12]byte(pattern(12, byte(i)^seed)),
		}
		if i%7 == 3 {
			ops[i].Data = nil
		}
	}
	return ops
}

func TestVectorsEqualSingleCalls(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		// Two tables: nothing may depend on what went through a table before.
		one, many := twoSlots(newKeys), twoSlots(newKeys)
		many.DeriveEncryption((nearSegments+1)*segmentSlots, secret(7)) // so many slots that keys are fetched
		each := func(f func(*Op), ops []Op) {
			for i := range ops {
				f(&ops[i])
			}
		}
		for n := range 70 {
			single, vector := mixedOps(n, byte(n)), mixedOps(n, byte(n))
			compare := func(step string) {
				t.Helper()
				if !reflect.DeepEqual(single, vector) {
					t.Fatalf("%d ops: %s of the vector differs from single calls", n, step)
				}
			}
			each(one.Seal, single)
			many.SealVector(vector)
			compare("seal")
			each(one.Prove, single)
			many.ProveVector(vector)
			compare("prove")
			for _, ops := range [][]Op{single, vector} {
				for i := range ops {
					clear(ops[i].Text)
					if i%5 == 1 && ops[i].Data != nil {
						ops[i].Data[i%len(ops[i].Data)] ^= 0x10
					}
				}
			}
			each(one.Open, single)
			many.OpenVector(vector)
			compare("open")
			for i := range vector {
				op := &vector[i]
				want := op.Data != nil && i%5 != 1
				if op.OK != want {
					t.Fatalf("op %d of %d: OK %t", i, n, op.OK)
				}
				if op.OK && !bytes.Equal(op.Text, pattern(len(op.Text), byte(i)+byte(n))) {
					t.Fatalf("op %d of %d: another plaintext", i, n)
				}
			}
		}
	})
}

func TestAnyPartitionIntoVectorsIsTheSame(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		whole := mixedOps(64, 1)
		keys.SealVector(whole)
		keys.ProveVector(whole)
		for size := 1; size <= 64; size++ {
			parts := mixedOps(64, 1)
			for from := 0; from < len(parts); from += size {
				part := parts[from:min(from+size, len(parts))]
				keys.SealWarm(part)
				keys.ProveVector(part)
			}
			if !reflect.DeepEqual(parts, whole) {
				t.Fatalf("vectors of %d differ from one of 64", size)
			}
		}
	})
}

// TestVectorsOfPacketsThatAreAlike: packets as long as each other are proved as they
// stand, but for those among which one is not.
func TestVectorsOfPacketsThatAreAlike(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		for _, length := range []int{0, 17, 27, 28, 36, 91, 92, 960, 987, 988, 1100} {
			for n := 14; n < 52; n += 3 {
				for _, other := range []int{-1, 0, 7, 15, 16, 31, n - 1} {
					ops := make([]Op, n)
					for i := range ops {
						ops[i] = Op{Key: uint32(i % 2 * 9), Data: pattern(length+Overhead-i%3, byte(i))}
						if i == other && length%2 == 0 {
							ops[i] = Op{Key: 1 << 20}
						} else if i == other {
							ops[i].Data = pattern(length+2*64, byte(n))
						}
					}
					single := append([]Op(nil), ops...)
					keys.ProveVector(ops)
					for i := range single {
						keys.Prove(&single[i])
					}
					if !reflect.DeepEqual(single, ops) {
						t.Fatalf("%d packets of %d octets, another at %d: the vector differs from single calls", n, length, other)
					}
				}
			}
		}
		newKeys().ProveVector(make([]Op, 2*maxLanes)) // nothing to do, and no keys
	})
}

func TestVectorWithoutKeysPanics(t *testing.T) {
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := twoSlots(newKeys)
		keys.DeriveEncryption(3, secret(3))
		ops := make([]Op, maxLanes)
		for i := range ops {
			ops[i] = Op{Data: pattern(45, byte(i))}
		}
		ops[9].Key = 3
		defer func() {
			if recover() == nil {
				t.Error("a packet was proved without a key")
			}
		}()
		keys.ProveVector(ops)
	})
}
