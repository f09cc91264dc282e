package stream

// connOptions are the options of one or many connections: those with the same
// options share an entry.
type connOptions struct {
	Options
	slippage uint32
	users    uint32 // connections and servers
}

// optionTable holds the options in use.
type optionTable struct {
	entries []*connOptions
	free    []uint32
	index   map[Options]uint32

	// What was asked for last, as it was asked for: most ask for the same again.
	asked   Options
	answer  uint32
	answers bool
}

func (m *Machine) optionsOf(c *conn) *connOptions { return m.options.entries[c.options] }

// use is the entry of options, which has one more user; letGo takes it back.
func (t *optionTable) use(o Options) (uint32, error) {
	if t.answers && o == t.asked {
		t.entries[t.answer].users++
		return t.answer, nil
	}
	asked := o
	if err := o.fill(); err != nil {
		return 0, err
	}
	i, known := t.index[o]
	if !known {
		i = t.add(o)
	}
	t.entries[i].users++
	t.asked, t.answer, t.answers = asked, i, true
	return i, nil
}

func (t *optionTable) add(o Options) uint32 {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		i = uint32(len(t.entries))
		t.entries = append(t.entries, nil)
	}
	if t.index == nil {
		t.index = make(map[Options]uint32)
	}
	t.entries[i] = &connOptions{Options: o, slippage: uint32(o.SlippagePPM)}
	t.index[o] = i
	return i
}

func (t *optionTable) letGo(i uint32) {
	e := t.entries[i]
	if e.users--; e.users == 0 {
		t.answers = t.answers && t.answer != i
		delete(t.index, e.Options)
		t.free = append(t.free, i)
	}
}
