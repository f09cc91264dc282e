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
	_, c, _ := w.a.m.connOf(first)
	if n := w.a.m.optionsOf(c).MaxInFlight; n != 7 {
		t.Errorf("the first connection has %d in flight, want 7", n)
	}
	w.connect(Options{MaxInFlight: 7})
	if n := len(w.a.m.options.index); n != 1 {
		t.Errorf("%d options are listed for two connections with the same", n)
	}
}

// TestOptionsThatWereLetGoAreNotFoundAgain: their entry may be others' by then.
func TestOptionsThatWereLetGoAreNotFoundAgain(t *testing.T) {
	var table optionTable
	use := func(o Options) uint32 {
		i, err := table.use(o)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	ours, others := Options{MaxInFlight: 5}, Options{MaxInFlight: 7}
	a := use(ours)
	if use(ours) != a || table.entries[a].users != 2 {
		t.Fatal("the same options have two entries")
	}
	table.letGo(a)
	table.letGo(a)
	b := use(others)
	if b != a {
		t.Fatal("the entry does not serve again: not what this test is about")
	}
	if c := use(ours); c == b || table.entries[c].MaxInFlight != 5 || table.entries[b].MaxInFlight != 7 {
		t.Errorf("%+v", table.entries)
	}
	if _, err := table.use(Options{MaxRemoteStreams: -1}); err == nil {
		t.Error("bad options are taken")
	}
	if c := use(ours); table.entries[c].users != 2 {
		t.Errorf("%d users", table.entries[c].users)
	}
}
