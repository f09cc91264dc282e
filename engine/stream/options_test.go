package stream

import "testing"

func TestOptionsAreKeptAsLongAsTheyAreInUse(t *testing.T) {
	w := newWorld(t, Options{}, Config{})
	first := w.connect(Options{MaxInFlight: 7})
	for n := range 1000 {
		h := w.connect(Options{MaxInFlight: 8 + n})
		if err := w.a.m.DestroyConn(w.now, h, 0, ""); err != nil {
			t.Fatal(err)
		}
		w.run(10 * second)
		w.a.m.ReleaseConn(h)
	}
	if n := len(w.a.m.options.entries); n > 3 {
		t.Errorf("%d options are kept, of one connection", n)
	}
	if n := len(w.a.m.options.index); n != 1 {
		t.Errorf("%d options are listed, want 1", n)
	}
	c := w.a.m.conns.At(uint32(first))
	if n := w.a.m.optionsOf(c).MaxInFlight; n != 7 {
		t.Errorf("the first connection has %d in flight, want 7", n)
	}
	w.connect(Options{MaxInFlight: 7})
	if n := len(w.a.m.options.index); n != 1 {
		t.Errorf("%d options are listed for two connections with the same", n)
	}
}
