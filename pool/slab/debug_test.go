//go:build debug

package slab

import "testing"

func TestUseOfAFreedSlotPanicsUnderDebug(t *testing.T) {
	s := New[record](10)
	i, _, _ := s.Alloc()
	h := s.Handle(i)
	s.Must(h)
	s.Free(i)
	mustPanic(t, "slab: At of a freed slot", func() { s.At(i) })
	mustPanic(t, "slab: Handle of a freed slot", func() { s.Handle(i) })
	mustPanic(t, "slab: At of an index never allocated", func() { s.At(i + 1) })
	mustPanic(t, "slab: At of an index never allocated", func() { s.At(0) })
	again, _, _ := s.Alloc()
	if again != i {
		t.Fatalf("slot %d was not used again, but %d", i, again)
	}
	mustPanic(t, "slab: use of a freed slot through a stale handle", func() { s.Must(h) })
	if _, ok := s.Get(h); ok {
		t.Error("Get through a stale handle finds the new item")
	}
}
