package slab

import (
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// unspread is the key of a hash.
func unspread(h uint64) uint64 {
	inverse := func(c uint64) uint64 {
		x := c
		for range 6 { // each step doubles the right bits
			x *= 2 - c*x
		}
		return x
	}
	h = (h ^ h>>33) * inverse(0xc4ceb9fe1a85ec53)
	h = (h ^ h>>33) * inverse(0xff51afd7ed558ccd)
	return h ^ h>>33
}

// clashing returns keys whose hashes begin with the same 20 bits, which have the same
// place in a leaf: the last one, so that runs wrap around the end.
func clashing(n int) []uint64 {
	keys := make([]uint64, n)
	for k := range keys {
		keys[k] = unspread(0xabcde<<44 | uint64(k)<<10 | segmentMask)
	}
	return keys
}

var clash = clashing(40)

func TestTableAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{1, 10, 5000, 1 << 20}).Draw(t, "limit")
		table := NewTable(limit)
		want := map[uint64]uint32{}
		key := rapid.OneOf(
			rapid.SampledFrom(clash),
			rapid.Uint64Range(0, 100),
			rapid.SampledFrom([]uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1 << 32}),
			rapid.Uint64(),
		)
		put := func(t *rapid.T, k uint64, v uint32) {
			_, known := want[k]
			ok := table.Put(k, v)
			if ok != (known || len(want) < limit) {
				t.Fatalf("put is %t with %d of %d, known %t", ok, len(want), limit, known)
			}
			if ok {
				want[k] = v
			}
		}
		check := func(t *rapid.T, k uint64) {
			if got := table.Get(k); got != want[k] {
				t.Fatalf("key %#x gives %d, want %d", k, got, want[k])
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				put(t, key.Draw(t, "key"), rapid.Uint32Range(1, 1<<32-1).Draw(t, "value"))
			},
			"put a thousand": func(t *rapid.T) { // so that it grows, and again while it does
				from := rapid.Uint64().Draw(t, "from")
				for k := range uint64(1000) {
					put(t, from+k, uint32(k+1))
				}
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				table.Delete(k)
				delete(want, k)
				check(t, k)
			},
			"delete half": func(t *rapid.T) {
				for k := range want {
					if k&1 == 0 {
						table.Delete(k)
						delete(want, k)
					}
				}
			},
			"get": func(t *rapid.T) { check(t, key.Draw(t, "key")) },
			"": func(t *rapid.T) {
				if table.Len() != len(want) {
					t.Fatalf("Len %d, want %d", table.Len(), len(want))
				}
				for _, k := range clash {
					check(t, k)
				}
				for k := range want {
					check(t, k)
				}
			},
		})
	})
}

func TestKeysAndHashesAreOneToOne(t *testing.T) {
	for _, h := range []uint64{0, 1, 1 << 63, 1<<64 - 1, 0xabcde<<44 | 5<<10 | 1023} {
		if got := spread(unspread(h)); got != h {
			t.Errorf("%#x: %#x", h, got)
		}
	}
}

// TestTableGrowsALeafAtATime: no Put takes more memory than one leaf, nor moves more than
// one leaf's keys.
func TestTableGrowsALeafAtATime(t *testing.T) {
	const n = 100_000
	var a arena
	table := NewTableIn(1<<20, a.take)
	for k := range uint64(n) {
		before := a.given
		table.Put(k, uint32(k+1))
		if grown := a.given - before; grown > int(unsafe.Sizeof(leaf{}))+64 {
			t.Fatalf("put %d took %d octets", k, grown)
		}
	}
	for k := range uint64(n) {
		if table.Get(k) != uint32(k+1) {
			t.Fatalf("key %d is lost", k)
		}
	}
	if table.spill != nil {
		t.Errorf("%d keys were spilt", len(table.spill))
	}
}

// TestKeysThatFindNoPlaceAreSpilt: hashes that begin alike do not make a table of nothing.
func TestKeysThatFindNoPlaceAreSpilt(t *testing.T) {
	const limit = 5000
	table := NewTable(limit)
	keys := make([]uint64, limit+1)
	for i := range keys {
		keys[i] = unspread(0xabcde<<44 | uint64(i))
	}
	for turn := range 3 {
		for i, k := range keys {
			if ok := table.Put(k, uint32(turn*10_000+i+1)); ok != (i < limit) {
				t.Fatalf("turn %d, key %d: %t", turn, i, ok)
			}
		}
		if len(table.leaves) > 1<<table.deep || table.Len() != limit {
			t.Fatalf("turn %d: %d leaves, %d keys", turn, len(table.leaves), table.Len())
		}
		for i, k := range keys[:limit] {
			if got := table.Get(k); got != uint32(turn*10_000+i+1) {
				t.Fatalf("turn %d, key %d: %d", turn, i, got)
			}
		}
		for i := turn; i < limit; i += 3 {
			table.Delete(keys[i])
			table.Delete(keys[i])
			if table.Get(keys[i]) != 0 {
				t.Fatalf("turn %d: key %d is there still", turn, i)
			}
		}
		if want := limit - (limit-turn+2)/3; table.Len() != want {
			t.Fatalf("turn %d: %d keys, not %d", turn, table.Len(), want)
		}
	}
	if len(table.spill) == 0 {
		t.Error("none is spilt: this shows nothing")
	}
}

func TestPutOfValueZeroPanics(t *testing.T) {
	mustPanic(t, "slab: value 0 means absent", func() { NewTable(1).Put(5, 0) })
}

func TestTableInUseDoesNotGrowByChurn(t *testing.T) {
	table := NewTable(1 << 20)
	for k := range uint64(200_000) { // 500 live at any time
		table.Put(k, 1)
		if k >= 500 {
			table.Delete(k - 500)
		}
	}
	if n := len(table.leaves); n != 1 {
		t.Errorf("%d leaves for 500 keys", n)
	}
}

// TestTableAroundASplit deletes and puts keys that clash again, shortly before a leaf is
// split and after it, and looks every key up after each step.
func TestTableAroundASplit(t *testing.T) {
	for spare := range 30 {
		table := NewTable(1 << 20)
		want := map[uint64]uint32{}
		put := func(k uint64, v uint32) {
			table.Put(k, v)
			want[k] = v
		}
		check := func(step string) {
			t.Helper()
			for _, k := range clash {
				if got := table.Get(k); got != want[k] {
					t.Fatalf("%d places before the split, %s: key %d gives %d, want %d", spare, step, k, got, want[k])
				}
			}
		}
		for i, k := range clash {
			put(k, uint32(i+1))
		}
		k := uint64(1 << 50)
		for ; len(want) < fullLeaf-spare; k++ {
			put(k, 7)
		}
		for i, c := range clash {
			if i%3 == 0 {
				table.Delete(c)
				delete(want, c)
			}
			check("delete")
		}
		for i, c := range clash {
			if i%2 == 0 {
				put(c, uint32(1000+i))
			}
			check("put")
		}
		for ; len(want) < fullLeaf+30; k++ {
			put(k, 7)
			check("split")
		}
		for i := uint64(1 << 50); i < k; i += 2 {
			table.Delete(i)
			delete(want, i)
		}
		for i := uint64(1 << 50); i < k; i++ {
			if got := table.Get(i); got != want[i] {
				t.Fatalf("key %d gives %d, want %d", i, got, want[i])
			}
		}
		check("delete of half")
		if table.Len() != len(want) || len(table.leaves) < 2 {
			t.Fatalf("Len %d, want %d, in %d leaves", table.Len(), len(want), len(table.leaves))
		}
	}
}
