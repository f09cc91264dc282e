package stream

import "slices"

// doubtGroup is packets in doubt that pay a stream in common, directly or by others
// between them: only the totals of their streams tell of them. Packets of one size
// are not alike when they are of two groups. With those of another stream taken in
// their place a total would stay ahead, and later pass for a packet that was lost.
type doubtGroup struct {
	ages   []int    // their places in the connection's list, oldest first
	slots  []uint32 // the packets
	wholes []Amount // what each would have delivered
	sizes  []Amount // of that to streams whose totals count
	fits   []bool   // the total of each of these streams is ahead by its part

	received  Amount // what the receiver said it has of the streams whose totals count
	delivered Amount // what was delivered, by our books
	ahead     Amount // by how much the former is ahead, of streams where it is
}

// lead is what the packets of a group that have arrived have delivered. Between its
// streams the receiver divides a packet otherwise than we reckon, by a unit or so;
// over all of them the difference is exact. Totals that were not heard of late say
// something only where they are ahead.
func (g *doubtGroup) lead(told bool) Amount {
	if told {
		return floorSub(g.received, g.delivered)
	}
	return g.ahead
}

// likeliest says which packets of the group have arrived, and what is missing then:
// those that fit if they are just what it is ahead by.
func (g *doubtGroup) likeliest(told bool) (arrived []bool, rest Amount) {
	fitting := slices.Clone(g.sizes)
	for k := range fitting {
		if !g.fits[k] {
			fitting[k] = 0
		}
	}
	if arrived, rest = likeliest(g.lead(told), fitting); rest == 0 {
		return arrived, 0
	}
	return likeliest(g.lead(told), g.sizes)
}

// certain says which packets of a group have arrived whatever the rate is: of those
// whose minimum the group is ahead by, the least one. only says that there is no
// other: then all that the group is ahead by has come with it.
func (m *Machine) certain(g *doubtGroup, told bool) (arrived []bool, only bool) {
	arrived = make([]bool, len(g.slots))
	lead, least, n := g.lead(told), 0, 0
	for k, i := range g.slots {
		minimum, _ := mulDiv(m.slots.At(i).minDest, uint64(g.sizes[k]), uint64(g.wholes[k]))
		if minimum > lead || lead == 0 || g.sizes[k] == 0 {
			continue
		}
		if n++; n == 1 || g.sizes[k] < g.sizes[least] {
			least = k
		}
	}
	if n == 0 {
		return arrived, true
	}
	arrived[least] = true
	if n == 1 && told {
		g.cut(least, lead)
	}
	return arrived, n == 1
}

// cut makes what a packet has delivered that of which size came to streams whose totals
// count.
func (g *doubtGroup) cut(k int, size Amount) {
	g.wholes[k], _ = mulDiv(g.wholes[k], uint64(size), uint64(g.sizes[k]))
	g.sizes[k] = size
}

// silent says that nobody tells any more what the receiver has of a stream: it is over, and
// what was heard before need not be all.
func (rec *streamRec) silent() bool {
	return rec.flags.has(streamClosed) && !rec.flags.has(streamTotalHeard)
}

// toldPart is how much of a packet's amount is for streams that are told of.
func (m *Machine) toldPart(s *slot) (sum Amount) {
	m.eachPart(s, func(k uint32, part Amount) {
		if !m.streams.At(k).silent() {
			sum += part
		}
	})
	return sum
}

// apart says that only streams that are told of count: some packet in doubt pays such a
// stream and a silent one. If it has arrived, the silent one's total lacks its part.
func (m *Machine) apart(c *conn) bool {
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		if s := m.slots.At(i); s.more != 0 {
			if part := m.toldPart(s); part > 0 && part < s.amount {
				return true
			}
		}
	}
	return false
}

// doubtGroups divides the packets in doubt of a connection. Their streams are marked
// as counted, if their totals count.
func (m *Machine) doubtGroups(c *conn, told bool) []doubtGroup {
	apart := told && m.apart(c)
	of := map[uint32]uint32{} // by stream: another one of its group, or itself
	first := func(k uint32) uint32 {
		for of[k] != k {
			k = of[k]
		}
		return k
	}
	m.eachDoubt(c, func(s *slot, k uint32) {
		if _, ok := of[k]; !ok {
			of[k] = k
		}
		of[first(k)] = first(s.stream)
	})
	var groups []doubtGroup
	number := map[uint32]int{}
	age := 0
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		s := m.slots.At(i)
		k := first(s.stream)
		n, ok := number[k]
		if !ok {
			n = len(groups)
			number[k], groups = n, append(groups, doubtGroup{})
		}
		g, whole := &groups[n], m.expected(s, c)
		size := whole
		if apart {
			size, _ = mulDiv(whole, uint64(m.toldPart(s)), uint64(s.amount))
		}
		g.ages, g.slots = append(g.ages, age), append(g.slots, i)
		g.wholes, g.sizes = append(g.wholes, whole), append(g.sizes, size)
		g.fits = append(g.fits, m.fits(s, whole, apart))
		age++
	}
	m.eachDoubt(c, func(s *slot, k uint32) { m.count(&groups[number[first(k)]], k, apart) })
	return groups
}

// fits says whether the totals of all streams that a packet pays are ahead by their
// parts of what it would have delivered; or of those that are told of.
func (m *Machine) fits(s *slot, whole Amount, apart bool) bool {
	fit := true
	m.eachPart(s, func(k uint32, part Amount) {
		if rec := m.streams.At(k); !apart || !rec.silent() {
			share, _ := mulDiv(whole, uint64(part), uint64(s.amount))
			fit = fit && share <= floorSub(rec.remoteReceived, rec.delivered)
		}
	})
	return fit
}

// eachPart visits every stream that a packet pays, with what of its amount is for it.
func (m *Machine) eachPart(s *slot, visit func(stream uint32, part Amount)) {
	visit(s.stream, s.part)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		visit(m.parts.At(p).stream, m.parts.At(p).amount)
	}
}

// eachDoubt visits every stream that a packet in doubt pays, with the packet.
func (m *Machine) eachDoubt(c *conn, visit func(s *slot, stream uint32)) {
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		s := m.slots.At(i)
		m.eachPart(s, func(k uint32, _ Amount) { visit(s, k) })
	}
}

// count adds a stream's totals, unless it was counted already or does not count.
func (m *Machine) count(g *doubtGroup, k uint32, apart bool) {
	rec := m.streams.At(k)
	if rec.flags.has(streamCounted) || apart && rec.silent() {
		return
	}
	rec.flags |= streamCounted
	g.received = satAdd(g.received, rec.remoteReceived)
	g.delivered = satAdd(g.delivered, rec.delivered)
	g.ahead = satAdd(g.ahead, floorSub(rec.remoteReceived, rec.delivered))
}

// exactly says whether some packets of each group are just what it is ahead by.
func exactly(groups []doubtGroup) bool {
	for k := range groups {
		g := &groups[k]
		if _, rest := g.likeliest(true); rest > 0 || g.delivered > g.received {
			return false
		}
	}
	return true
}

// together makes one group of all.
func together(groups []doubtGroup) (all doubtGroup) {
	for k := range groups {
		g := &groups[k]
		for n, age := range g.ages {
			at, _ := slices.BinarySearch(all.ages, age)
			all.ages = slices.Insert(all.ages, at, age)
			all.slots = slices.Insert(all.slots, at, g.slots[n])
			all.wholes = slices.Insert(all.wholes, at, g.wholes[n])
			all.sizes = slices.Insert(all.sizes, at, g.sizes[n])
			all.fits = slices.Insert(all.fits, at, g.fits[n])
		}
		all.received, all.delivered, all.ahead = satAdd(all.received, g.received), satAdd(all.delivered, g.delivered), satAdd(all.ahead, g.ahead)
	}
	return all
}
