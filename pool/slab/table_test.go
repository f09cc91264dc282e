package slab

import (
	"testing"

	"pgregory.net/rapid"
)

// clashing returns keys that all have the same home in a table of any size up
// to 2^20, or just different ones, by choice.
func clashing(n int) []uint64 {
	b := makeBuckets(20)
	keys := make([]uint64, 0, n)
	for k := uint64(0); len(keys) < n; k++ {
		if b.home(k) == 1<<20-1 { // the last bucket: runs wrap around the end
			keys = append(keys, k)
		}
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

func TestTableMovesFewEntriesAtATime(t *testing.T) {
	table := NewTable(1 << 20)
	growths := 0
	for k := range uint64(100_000) {
		migrating, before := table.old.segments != nil, table.migrated
		table.Put(k, uint32(k+1))
		switch now := table.old.segments != nil; {
		case migrating && now && table.migrated-before > migrateStep:
			t.Fatalf("put %d moved %d buckets", k, table.migrated-before)
		case !migrating && now:
			growths++
			if table.migrated != 0 {
				t.Fatal("a growth moved entries at once")
			}
		}
		if table.entries.full() && table.old.segments != nil {
			t.Fatal("full again before the old table was empty")
		}
	}
	if growths < 6 {
		t.Errorf("the table grew %d times", growths)
	}
	for k := range uint64(100_000) {
		if table.Get(k) != uint32(k+1) {
			t.Fatalf("key %d is lost", k)
		}
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
	if n := table.entries.len(); n != segmentLen {
		t.Errorf("%d buckets for 500 keys", n)
	}
}

// TestTableWhileItMigrates stops a growing table at every point of its
// migration, deletes and puts again keys on both sides of it, in runs that clash, and
// looks every key up after each step.
func TestTableWhileItMigrates(t *testing.T) {
	for stop := range segmentLen/migrateStep + 2 {
		table := NewTable(1 << 20)
		want := map[uint64]uint32{}
		put := func(k uint64, v uint32) {
			table.Put(k, v)
			want[k] = v
		}
		check := func(step string, k uint64) {
			t.Helper()
			if got := table.Get(k); got != want[k] {
				t.Fatalf("stopped at step %d, %s: key %d gives %d, want %d", stop, step, k, got, want[k])
			}
		}
		for i, k := range clash {
			put(k, uint32(i+1))
		}
		k := uint64(1 << 50)
		for ; table.old.segments == nil; k++ {
			put(k, 7)
		}
		for range stop {
			table.migrate(migrateStep)
		}
		for i, c := range clash {
			if i%3 == 0 {
				table.Delete(c)
				delete(want, c)
			}
			for _, other := range clash {
				check("delete", other)
			}
		}
		for i, c := range clash {
			if i%2 == 0 {
				put(c, uint32(1000+i))
			}
			for _, other := range clash {
				check("put", other)
			}
		}
		for i := uint64(1 << 50); i < k; i += 2 {
			table.Delete(i)
			delete(want, i)
		}
		for i := uint64(1 << 50); i < k; i++ {
			check("delete of half", i)
		}
		if table.Len() != len(want) {
			t.Fatalf("stopped at step %d: Len %d, want %d", stop, table.Len(), len(want))
		}
	}
}
