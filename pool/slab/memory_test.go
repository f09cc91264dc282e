package slab

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// arena is a Memory that counts.
type arena struct{ given, pieces int }

func (a *arena) take(n int) []byte {
	a.given += n
	a.pieces++
	return make([]byte, n)
}

func TestRecordsLiveInTheMemoryThatWasGiven(t *testing.T) {
	type record struct {
		a, b uint64
		c    [4]uint16
	}
	var a arena
	s := NewIn[record](5000, a.take)
	for n := range 3000 {
		i, r, ok := s.Alloc()
		if !ok || *r != (record{}) {
			t.Fatalf("record %d: %v %+v", n, ok, r)
		}
		*r = record{uint64(i), ^uint64(i), [4]uint16{3: uint16(i)}}
	}
	for i := uint32(1); i <= 3000; i++ {
		if *s.At(i) != (record{uint64(i), ^uint64(i), [4]uint16{3: uint16(i)}}) {
			t.Fatalf("record %d is %+v", i, s.At(i))
		}
	}
	if a.pieces != 3 || a.given < 3000*24 {
		t.Errorf("%d octets in %d pieces", a.given, a.pieces)
	}
}

func TestNoMemoryMeansTheHeap(t *testing.T) {
	s := NewIn[uint64](10, func(int) []byte { return nil })
	if _, v, ok := s.Alloc(); !ok || *v != 0 {
		t.Fatal("no record")
	}
}

func TestRecordsWithPointersStayOnTheHeap(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the collector would lose what they point to")
		}
	}()
	NewIn[struct{ p []byte }](10, new(arena).take)
}

// TestTimersInMemoryOfAnOwner: a wheel takes it by 1,024 items, and none while they come
// and go.
func TestTimersInMemoryOfAnOwner(t *testing.T) {
	var a arena
	w := NewWheelIn(1000, 64, a.take)
	for turn := range int64(3) {
		for i := uint32(1); i <= 3000; i++ {
			w.Set(i, turn*10_000_000+int64(i)*1000)
		}
		n := 0
		for ok := true; ok; n++ {
			_, ok = w.PopExpired((turn + 1) * 10_000_000)
		}
		if n != 3001 {
			t.Fatalf("%d timers of 3,000", n-1)
		}
	}
	if a.pieces != 3 || a.given != 3*segmentLen*int(unsafe.Sizeof(timer{})) {
		t.Errorf("%d octets in %d pieces", a.given, a.pieces)
	}
}

// TestTableTakesNoMoreThanItNeeds grows a table and does not lose a key, nor memory.
func TestTableTakesNoMoreThanItNeeds(t *testing.T) {
	const n = 200_000
	var a arena
	table := NewTableIn(n, a.take)
	rng := rand.New(rand.NewPCG(3, 4))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = rng.Uint64()
		if !table.Put(keys[i], uint32(i+1)) {
			t.Fatal("full")
		}
		if i%3 == 0 { // and back, and again
			table.Delete(keys[i])
			table.Put(keys[i], uint32(i+1))
		}
	}
	for i, k := range keys {
		if table.Get(k) != uint32(i+1) {
			t.Fatalf("key %d is lost", i)
		}
	}
	// Leaves are between a half and wholly as full as they get.
	if most := 2 * (n / fullLeaf) * int(unsafe.Sizeof(leaf{})); a.given > most {
		t.Errorf("%d octets, more than %d", a.given, most)
	}
}
