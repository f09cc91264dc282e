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

	all   totals // of all streams that they pay
	heard totals // of those that are told of: a stream that is over may have more than it told
}

// totals is what is known of some streams, and what packets would have delivered to them.
type totals struct {
	sizes []Amount // of each packet
	fits  []bool   // each of the streams is ahead by its part of the packet

	received  Amount // what the receiver said it has of the streams
	delivered Amount // what was delivered, by our books
	ahead     Amount // by how much the former is ahead, of streams where it is
}

// lead is what the packets of a group that have arrived have delivered. Between its
// streams the receiver divides a packet otherwise than we reckon, by a unit or so;
// over all of them the difference is exact. Totals that were not heard of late say
// something only where they are ahead.
func (t *totals) lead(told bool) Amount {
	if told {
		return floorSub(t.received, t.delivered)
	}
	return t.ahead
}

// fitting is the sizes of packets that fit; of the others it is 0.
func (t *totals) fitting() []Amount {
	sizes := slices.Clone(t.sizes)
	for k := range sizes {
		if !t.fits[k] {
			sizes[k] = 0
		}
	}
	return sizes
}

// parted says that a packet of the group pays a stream that is told of and one that is
// not: if it has arrived, the total of the latter lacks its part.
func (g *doubtGroup) parted() bool {
	for k, size := range g.heard.sizes {
		if size > 0 && size < g.all.sizes[k] {
			return true
		}
	}
	return false
}

// counts is the totals that tell of the group, where nothing is just what all of them are
// ahead by.
func (g *doubtGroup) counts(told bool) *totals {
	if told && g.parted() {
		return &g.heard
	}
	return &g.all
}

// likeliest says which packets of the group have arrived, by which totals, and what is
// missing then: those that fit if they are just what it is ahead by.
func (g *doubtGroup) likeliest(told bool) (arrived []bool, by *totals, rest Amount) {
	by = &g.all
	if arrived, rest = likeliest(by.lead(told), by.fitting()); rest == 0 {
		return arrived, by, 0
	}
	if by = g.counts(told); by == &g.heard {
		if arrived, rest = likeliest(by.lead(told), by.fitting()); rest == 0 {
			return arrived, by, 0
		}
	}
	arrived, rest = likeliest(by.lead(told), by.sizes)
	return arrived, by, rest
}

// must says whether there is nothing that the totals are just ahead by without packet k.
func (t *totals) must(k int) bool {
	sizes := t.fitting()
	sizes[k] = 0
	_, rest := likeliest(t.lead(true), sizes)
	return rest > 0
}

// certain says which packets of a group have arrived whatever the rate is: of those
// whose minimum the group is ahead by, the least one. only says that there is no
// other: then all that the group is ahead by has come with it.
func (m *Machine) certain(g *doubtGroup, told bool) (arrived []bool, by *totals, only bool) {
	arrived, by = make([]bool, len(g.slots)), g.counts(told)
	lead, least, n := by.lead(told), 0, 0
	for k, i := range g.slots {
		minimum := m.slots.At(i).minDest
		if by.sizes[k] != g.wholes[k] {
			minimum, _ = mulDiv(minimum, uint64(by.sizes[k]), uint64(g.wholes[k]))
		}
		if minimum > lead || lead == 0 || by == &g.heard && by.sizes[k] == 0 {
			continue
		}
		if n++; n == 1 || by.sizes[k] < by.sizes[least] {
			least = k
		}
	}
	if n == 0 {
		return arrived, by, true
	}
	arrived[least] = true
	if n == 1 && told {
		g.cut(by, least, lead)
	}
	return arrived, by, n == 1
}

// cut makes what a packet has delivered that of which so much came to the streams of
// totals.
func (g *doubtGroup) cut(by *totals, k int, size Amount) {
	if by.sizes[k] == g.wholes[k] {
		g.wholes[k] = size
	} else {
		g.wholes[k], _ = mulDiv(g.wholes[k], uint64(size), uint64(by.sizes[k]))
	}
	by.sizes[k] = size
}

// silent says that nobody tells any more what the receiver has of a stream: it is over, and
// what was heard before need not be all.
func (rec *streamRec) silent() bool {
	return rec.flags.has(streamClosed) && !rec.flags.has(streamTotalHeard)
}

// heardPart is how much of a packet's amount is for streams that are told of.
func (m *Machine) heardPart(s *slot) (sum Amount) {
	m.eachPart(s, func(k uint32, part Amount) {
		if !m.streams.At(k).silent() {
			sum += part
		}
	})
	return sum
}

// doubtGroups divides the packets in doubt of a connection. Their streams are marked
// as counted.
func (m *Machine) doubtGroups(c *conn) []doubtGroup {
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
		g, size := &groups[n], m.expected(s, c)
		g.ages, g.slots, g.wholes = append(g.ages, age), append(g.slots, i), append(g.wholes, size)
		g.all.add(size, m.fits(s, size, false))
		if part := m.heardPart(s); part < s.amount {
			heard, _ := mulDiv(size, uint64(part), uint64(s.amount))
			g.heard.add(heard, m.fits(s, size, true))
		} else {
			g.heard.add(size, m.fits(s, size, true))
		}
		age++
	}
	m.eachDoubt(c, func(s *slot, k uint32) {
		rec, g := m.streams.At(k), &groups[number[first(k)]]
		if rec.flags.has(streamCounted) {
			return
		}
		rec.flags |= streamCounted
		g.all.count(rec)
		if !rec.silent() {
			g.heard.count(rec)
		}
	})
	return groups
}

// add adds a packet.
func (t *totals) add(size Amount, fits bool) {
	t.sizes, t.fits = append(t.sizes, size), append(t.fits, fits)
}

// count adds a stream.
func (t *totals) count(rec *streamRec) {
	t.received = satAdd(t.received, rec.remoteReceived)
	t.delivered = satAdd(t.delivered, rec.delivered)
	t.ahead = satAdd(t.ahead, floorSub(rec.remoteReceived, rec.delivered))
}

// fits says whether the totals of all streams that a packet pays, or of those that are told
// of, are ahead by their parts of what it would have delivered.
func (m *Machine) fits(s *slot, size Amount, heard bool) bool {
	fit := true
	m.eachPart(s, func(k uint32, part Amount) {
		if rec := m.streams.At(k); !heard || !rec.silent() {
			share, _ := mulDiv(size, uint64(part), uint64(s.amount))
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

// exactly says whether some packets of each group are just what it is ahead by.
func exactly(groups []doubtGroup) bool {
	for k := range groups {
		if _, by, rest := groups[k].likeliest(true); rest > 0 || by.delivered > by.received {
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
			all.all.insert(at, &g.all, n)
			all.heard.insert(at, &g.heard, n)
		}
		all.all.join(&g.all)
		all.heard.join(&g.heard)
	}
	return all
}

func (t *totals) insert(at int, from *totals, n int) {
	t.sizes, t.fits = slices.Insert(t.sizes, at, from.sizes[n]), slices.Insert(t.fits, at, from.fits[n])
}

func (t *totals) join(from *totals) {
	t.received, t.delivered, t.ahead = satAdd(t.received, from.received), satAdd(t.delivered, from.delivered), satAdd(t.ahead, from.ahead)
}
