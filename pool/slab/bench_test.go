package slab

import "testing"

// The records are as large as a connection, and are visited in an order that
// the cache does not foresee.

const benchItems = 1 << 14

func BenchmarkSlabAt(b *testing.B) {
	s := New[[1024]byte](benchItems)
	for range benchItems {
		s.Alloc()
	}
	b.ReportAllocs()
	i, sum := uint32(1), 0
	for b.Loop() {
		sum += int(s.At(i)[0])
		i = (i*1664525+1013904223)%benchItems + 1
	}
	sink = sum
}

func BenchmarkSlabAllocFree(b *testing.B) {
	s := New[[128]byte](benchItems)
	b.ReportAllocs()
	for b.Loop() {
		i, _, _ := s.Alloc()
		s.Free(i)
	}
}

func BenchmarkRingPushPop(b *testing.B) {
	r := NewRing(benchItems)
	b.ReportAllocs()
	for b.Loop() {
		r.Push(1)
		r.Pop()
	}
}

// BenchmarkWheelSetClear is a packet's expiry timer: set, and cleared by its reply.
func BenchmarkWheelSetClear(b *testing.B) {
	w := NewWheel(1_000_000, 4096)
	now, i := int64(0), uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 1000
		i = i&1023 + 1
		w.Clear(i)
		w.Set(i, now+30_000_000_000)
		w.PopExpired(now)
		if next, _ := w.Next(); next < now {
			b.Fatal("a timer was missed")
		}
	}
}

func BenchmarkTableGet(b *testing.B) {
	for _, c := range []struct {
		name   string
		offset uint64
	}{{"hit", 0}, {"miss", 1 << 40}} {
		b.Run(c.name, func(b *testing.B) {
			table := NewTable(1 << 20)
			for k := range uint64(benchItems) {
				table.Put(k*k*k, 1)
			}
			b.ReportAllocs()
			k, sum := uint64(0), 0
			for b.Loop() {
				sum += int(table.Get(k*k*k + c.offset))
				k = (k*1664525 + 1013904223) % benchItems
			}
			sink = sum
		})
	}
}

func BenchmarkTablePutDelete(b *testing.B) {
	table := NewTable(1 << 20)
	for k := range uint64(benchItems) {
		table.Put(k, 1)
	}
	b.ReportAllocs()
	for k := uint64(benchItems); b.Loop(); k++ {
		table.Put(k, 1)
		table.Delete(k - benchItems)
	}
}

var sink int
