package slab

import "testing"

// TestSteadyStateDoesNotAllocate is a gate: these run for every packet.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	const n = 3000
	s, r, w, table, p := New[[100]byte](n), NewRing(n), NewWheel(1000, 256), NewTable(n), NewPlacesIn(n, nil)
	var now int64
	for i := range uint32(n) {
		s.Alloc()
		r.Push(i)
		w.Set(i+1, int64(i))
		table.Put(uint64(i), i+1)
		p.Alloc(i)
	}
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"Slab", func() { s.Free(7); i, _, _ := s.Alloc(); s.Get(s.Handle(i)) }},
		{"Ring", func() { v, _ := r.Pop(); r.Push(v) }},
		{"Wheel", func() {
			now += 10
			for i, ok := w.PopExpired(now); ok; i, ok = w.PopExpired(now) {
				w.Set(i, now+n)
			}
			w.Clear(3)
			w.Set(3, now+n)
			w.Next()
		}},
		{"Places", func() { p.Free(7); i, _ := p.Alloc(7); p.Get(p.Handle(i)) }},
		{"Table", func() { table.Delete(9); table.Put(9, 10); table.Get(5) }},
	} {
		if got := testing.AllocsPerRun(2000, c.f); got != 0 {
			t.Errorf("%s allocates %v times", c.name, got)
		}
	}
}
