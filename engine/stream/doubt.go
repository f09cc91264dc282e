package stream

import "slices"

// doubt is a packet that has expired without an answer while it is decided whether it has
// arrived. Two kinds of streams are told apart. Of those that count, the receiver has told
// its total since; or the connection is over, and what was told last has to do. The others
// are silent: they are over, no total of them is told any more, and what was told before is
// the least that the receiver has. A packet may pay both kinds.
type doubt struct {
	slot  uint32
	pays  Amount // number of streams
	whole Amount // what it would have delivered
	size  Amount // of that to streams that count; rounded down where it pays silent ones, too
	vague Amount // so much more it may have delivered, for the rate is rounded
	mixed bool   // it pays silent streams, too

	arrived bool      // to streams that count
	brought Amount    // to them, if so
	cut     bool      // no more counts as sent than brought is of size
	apart   []portion // of silent streams, and of a group that is decided by its streams: what has arrived
}

// portion is an amount of one stream, and what it has brought the receiver.
type portion struct {
	stream  uint32
	amount  Amount // in our units
	brought Amount // in its units
}

// slack is how much more than its size may have come to streams that count: between them and
// silent ones the receiver may have divided it otherwise.
func (d *doubt) slack() Amount {
	if d.mixed {
		return satAdd(d.vague, d.pays-1)
	}
	return d.vague
}

// doubtGroup is packets in doubt that pay a stream in common, directly or by others
// between them, of the streams that count: only their totals tell of them. Packets of one
// size are not alike when they pay other streams (eachMatches). With those of another stream
// taken in their place a total would stay ahead, and later pass for a packet that was lost.
type doubtGroup struct {
	packets []*doubt // oldest first

	received  Amount // what the receiver said it has of the streams
	delivered Amount // what was delivered, by our books
	ahead     Amount // by how much the former is ahead, of streams where it is

	exact bool // once it is decided: some packets are just what it is ahead by
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

// likeliest says which packets of the group have arrived, and what is missing then.
func (g *doubtGroup) likeliest(told bool) (arrived []bool, rest Amount) {
	return g.search(told, g.sizes())
}

// sizes is what each packet of the group would have delivered.
func (g *doubtGroup) sizes() []Amount {
	sizes := make([]Amount, len(g.packets))
	for k, d := range g.packets {
		sizes[k] = d.size
	}
	return sizes
}

// search is likeliest for packets of such sizes. A rest that may come of rounding is none.
func (g *doubtGroup) search(told bool, sizes []Amount) (arrived []bool, rest Amount) {
	arrived, rest = likeliest(g.lead(told), sizes)
	slack := Amount(0)
	for k, d := range g.packets {
		if arrived[k] {
			slack = satAdd(slack, d.slack())
		}
	}
	if rest <= slack {
		rest = 0
	}
	return arrived, rest
}

// must says whether nothing is just what the group is ahead by without packet k.
func (g *doubtGroup) must(k int) bool {
	sizes := g.sizes()
	sizes[k] = 0
	_, rest := g.search(true, sizes)
	return rest > 0
}

// minimum is the least that a packet has delivered to streams that count, if it has arrived.
func (m *Machine) minimum(d *doubt) Amount {
	least := m.slots.At(d.slot).minDest
	if d.size != d.whole {
		least, _ = mulDiv(least, uint64(d.size), uint64(d.whole))
	}
	return least
}

// certain says which packets of a group have arrived whatever the rate is: one, or none.
// only says that there is no other: then all that the group is ahead by has come with it.
func (m *Machine) certain(c *conn, g *doubtGroup, told bool) (arrived *doubt, only bool) {
	minima := make([]Amount, len(g.packets))
	for k, d := range g.packets {
		if minima[k] = m.minimum(d); !m.eachAhead(c, d, told) {
			minima[k] = maxAmount
		}
	}
	k, only := certain(g.lead(told), minima, g.sizes())
	if k >= 0 {
		arrived = g.packets[k]
	}
	return arrived, only
}

// eachAhead says whether each stream that a packet pays, and that counts, is ahead by what
// is the least that it has had of it.
func (m *Machine) eachAhead(c *conn, d *doubt, told bool) (all bool) {
	all = true
	s, odds := m.slots.At(d.slot), m.odds(c)
	m.eachPart(s, func(k uint32, amount Amount) {
		if m.counts(k, told) && s.share(s.minDest, amount) > satAdd(m.aheadOf(k), odds) {
			all = false
		}
	})
	return all
}

// certain is of those packets whose minimum a total is ahead by the least one, or -1. only
// says that there is no other.
func certain(ahead Amount, minima, sizes []Amount) (arrived int, only bool) {
	n := 0
	arrived = -1
	for k, least := range minima {
		if ahead == 0 || least > ahead {
			continue
		}
		if n++; arrived < 0 || sizes[k] < sizes[arrived] {
			arrived = k
		}
	}
	return arrived, n <= 1
}

// silent says that nobody tells any more what the receiver has of a stream.
func (s *streamRec) silent() bool {
	return s.flags.has(streamClosed) && !s.flags.has(streamTotalHeard)
}

// counts says whether a stream is of those that count. told says that totals were heard
// since.
func (m *Machine) counts(stream uint32, told bool) bool {
	return !told || !m.streams.At(stream).silent()
}

// doubts is all packets in doubt of a connection, oldest first, and the groups of those that
// pay streams that count, if they have arrived at a rate. These are marked as counted.
func (m *Machine) doubts(c *conn, at estimate, told bool) (all []*doubt, groups []doubtGroup) {
	m.uncount(c)
	of := map[uint32]uint32{} // by stream: another one of its group, or itself
	first := func(k uint32) uint32 {
		for of[k] != k {
			k = of[k]
		}
		return k
	}
	for i := c.firstDoubt; i != 0; i = m.slots.At(i).next {
		one := uint32(0)
		all = append(all, m.doubtOf(i, at, told))
		m.eachPart(m.slots.At(i), func(k uint32, _ Amount) {
			if !m.counts(k, told) {
				return
			}
			if _, ok := of[k]; !ok {
				of[k] = k
			}
			if one == 0 {
				one = k
			}
			of[first(k)] = first(one)
		})
	}
	number := map[uint32]int{}
	for _, d := range all {
		m.eachPart(m.slots.At(d.slot), func(k uint32, _ Amount) {
			if !m.counts(k, told) {
				return
			}
			n, ok := number[first(k)]
			if !ok {
				n = len(groups)
				number[first(k)], groups = n, append(groups, doubtGroup{})
			}
			g := &groups[n]
			if len(g.packets) == 0 || g.packets[len(g.packets)-1] != d {
				g.packets = append(g.packets, d)
			}
			m.count(g, k)
		})
	}
	return all, groups
}

// doubtOf is what is known of a packet in doubt.
func (m *Machine) doubtOf(i uint32, at estimate, told bool) *doubt {
	s := m.slots.At(i)
	d := &doubt{slot: i, whole: at.dest(s.amount), vague: at.vague(s.amount)}
	silent := false
	m.eachPart(s, func(k uint32, amount Amount) {
		d.pays++
		if !m.counts(k, told) {
			silent = true
			return
		}
		d.size += s.share(d.whole, amount)
	})
	switch {
	case !silent:
		d.size = d.whole
	case d.size > 0:
		d.mixed = true
	}
	return d
}

// share is what of a packet that delivers whole comes to a stream which has amount of it.
func (s *slot) share(whole, amount Amount) Amount {
	if amount == s.amount {
		return whole
	}
	share, _ := mulDiv(whole, uint64(amount), uint64(s.amount))
	return share
}

// eachPart visits every stream that a packet pays, with what of its amount is for it.
func (m *Machine) eachPart(s *slot, visit func(stream uint32, amount Amount)) {
	visit(s.stream, s.part)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		visit(m.parts.At(p).stream, m.parts.At(p).amount)
	}
}

// count adds a stream's totals, unless it was counted already.
func (m *Machine) count(g *doubtGroup, k uint32) {
	rec := m.streams.At(k)
	if rec.flags.has(streamCounted) {
		return
	}
	rec.flags |= streamCounted
	g.received = satAdd(g.received, rec.remoteReceived)
	g.delivered = satAdd(g.delivered, rec.delivered)
	g.ahead = satAdd(g.ahead, m.aheadOf(k))
}

// misfit is by how much more than rounding what the group is ahead by is not just some of its
// packets.
func (g *doubtGroup) misfit() Amount {
	_, rest := g.likeliest(true)
	return satAdd(rest, floorSub(g.delivered, g.received))
}

// together makes one group of those of all.
func together(groups []doubtGroup, packets []*doubt) (all doubtGroup) {
	in := map[*doubt]bool{}
	for k := range groups {
		g := &groups[k]
		for _, d := range g.packets {
			in[d] = true
		}
		all.received, all.delivered, all.ahead = satAdd(all.received, g.received), satAdd(all.delivered, g.delivered), satAdd(all.ahead, g.ahead)
	}
	all.packets = slices.DeleteFunc(slices.Clone(packets), func(d *doubt) bool { return !in[d] })
	return all
}

// doubtStream is a stream, and the packets in doubt that pay it and may have arrived.
type doubtStream struct {
	stream  uint32
	packets []*doubt
	amounts []Amount // of each for the stream
	shares  []Amount // what it would have delivered to it
	minima  []Amount // and the least
}

// doubtStreams is the streams that packets in doubt pay. of says of which packets, and
// which of their streams.
func (m *Machine) doubtStreams(packets []*doubt, of func(d *doubt, stream uint32) bool) (streams []doubtStream) {
	at := map[uint32]int{}
	for _, d := range packets {
		s := m.slots.At(d.slot)
		m.eachPart(s, func(k uint32, amount Amount) {
			if !of(d, k) {
				return
			}
			n, ok := at[k]
			if !ok {
				n = len(streams)
				at[k], streams = n, append(streams, doubtStream{stream: k})
			}
			x := &streams[n]
			x.packets, x.amounts = append(x.packets, d), append(x.amounts, amount)
			x.shares, x.minima = append(x.shares, s.share(d.whole, amount)), append(x.minima, s.share(s.minDest, amount))
		})
	}
	return streams
}

// silentStreams is the silent streams that packets in doubt pay. of says of which packets.
func (m *Machine) silentStreams(all []*doubt, of func(*doubt) bool) []doubtStream {
	return m.doubtStreams(all, func(d *doubt, k uint32) bool { return !m.counts(k, true) && of(d) })
}

// odds is the most that a stream is ahead or behind because the receiver divides what
// several get together otherwise than we reckon: about a unit of each.
func (m *Machine) odds(c *conn) (n Amount) {
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		n++
	}
	return n
}

// balance reckons in by what little silent streams are ahead or behind, if a group of all
// packets then is ahead by just some of them: what those have of it the others lack. These
// streams are marked as counted.
func (m *Machine) balance(c *conn, g *doubtGroup, all []*doubt) {
	if g.misfit() == 0 {
		return
	}
	with, n := *g, m.odds(c)
	var little []*streamRec
	for _, x := range m.silentStreams(all, func(*doubt) bool { return true }) {
		rec := m.streams.At(x.stream)
		more, less := floorSub(rec.remoteReceived, rec.delivered), floorSub(rec.delivered, rec.remoteReceived)
		if 0 < more+less && more+less <= n {
			with.received, with.delivered = satAdd(with.received, more), satAdd(with.delivered, less)
			little = append(little, rec)
		}
	}
	if len(little) == 0 || with.misfit() > 0 {
		return
	}
	*g = with
	for _, rec := range little {
		rec.flags |= streamCounted
	}
}
