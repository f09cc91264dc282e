package stream

// settleDoubts decides which of the packets in doubt have arrived, by how far the
// receiver's totals are ahead of what was delivered. told says that they were heard
// since.
func (m *Machine) settleDoubts(c *conn, told bool) {
	if c.firstDoubt == 0 {
		return
	}
	all, groups := m.likeliestDoubts(c, told)
	unread := m.coldOf(c).unread
	if told && m.borneOut(c) && misfit(groups) > 0 {
		one := together(groups, all)
		m.balance(c, &one, all)
		groups = []doubtGroup{one}
	}
	for k := range groups {
		g := &groups[k]
		if !told {
			// Nothing is sent again: rather too few than what never arrived.
			g.ahead = floorSub(g.ahead, unread)
		}
		m.decideGroup(c, g, told)
	}
	if told {
		m.decideSilent(c, all, groups)
	}
	for _, d := range all {
		if m.plant.doubtIsFree() {
			*d = doubt{slot: d.slot}
		}
		m.settleDoubt(c, d, told)
	}
	m.level(c, told)
	for _, d := range all { // not before: a stream may go with its last packet
		m.retire(d.slot, m.slots.At(d.slot))
	}
}

// decideGroup decides which packets of a group have arrived.
func (m *Machine) decideGroup(c *conn, g *doubtGroup, told bool) {
	arrives := func(d *doubt, brought Amount) { d.arrived, d.brought = true, brought }
	if !m.borneOut(c) {
		if d, only := m.certain(c, g, told); d != nil && only && told {
			arrives(d, g.lead(told))
		} else if d != nil {
			arrives(d, d.size)
		}
		return
	}
	arrived, rest := g.likeliest(told)
	if streams := m.countingStreams(g, told); (told || m.coldOf(c).unread == 0) && !m.eachMatches(c, g, streams, arrived) {
		m.decideApart(c, streams)
		return
	}
	g.exact = rest == 0
	over := g.lead(told) // by rounding
	for k, d := range g.packets {
		if arrived[k] {
			arrives(d, d.size)
			over = floorSub(over, d.size)
		}
	}
	for _, d := range g.packets {
		switch {
		case !told:
		case rest == 0 && d.arrived && over > 0:
			more := min(over, d.slack())
			d.brought, over = d.brought+more, over-more
		case rest > 0 && !d.arrived && rest < d.size && (m.rateHeard(c) || rest >= m.minimum(d)):
			// It is amounts that count: what fits no whole packet is taken of one. But
			// while no packet has borne the rate out, the others may have arrived at a
			// better one.
			arrives(d, rest)
			d.cut, rest = true, 0
		}
	}
}

// eachMatches says whether each of the streams that a group pays is ahead by what these
// packets have brought it, and not only all of them together: packets of one size may pay
// several streams, each other ones.
func (m *Machine) eachMatches(c *conn, g *doubtGroup, streams []doubtStream, arrived []bool) bool {
	if len(streams) == 1 {
		return true
	}
	has, odds := map[*doubt]bool{}, Amount(0)
	for n, d := range g.packets {
		has[d] = arrived[n]
	}
	if g.ahead > floorSub(g.received, g.delivered) { // some are behind: what they lack the others have
		odds = m.odds(c)
	}
	for _, x := range streams {
		ahead := m.aheadOf(x.stream)
		brought, slack := m.broughtBy(x, func(n int) bool { return has[x.packets[n]] })
		if slack = satAdd(slack, odds); ahead > satAdd(brought, slack) || brought > satAdd(ahead, slack) {
			return false
		}
	}
	return true
}

// decideApart decides stream by stream what has arrived of packets of which none are
// what each of their streams is ahead by. No packet is certain then.
func (m *Machine) decideApart(c *conn, streams []doubtStream) {
	for _, x := range streams {
		arrived, rest := likeliestOf(len(streams), m.aheadOf(x.stream), x.shares)
		if _, slack := m.broughtBy(x, func(n int) bool { return arrived[n] }); rest <= slack {
			rest = 0
		}
		x.take(arrived, rest, m.rateHeard(c))
	}
}

// countingStreams is those that packets of a group pay and that count.
func (m *Machine) countingStreams(g *doubtGroup, told bool) []doubtStream {
	return m.doubtStreams(g.packets, func(_ *doubt, k uint32) bool { return m.counts(k, told) })
}

// aheadOf is by how much the total of a stream is ahead.
func (m *Machine) aheadOf(stream uint32) Amount {
	rec := m.streams.At(stream)
	return floorSub(rec.remoteReceived, rec.delivered)
}

// broughtBy is what those packets have brought a stream if they have arrived. At other rates
// than one the receiver may have divided each otherwise, by a unit for each other stream
// that it pays.
func (m *Machine) broughtBy(x doubtStream, of func(n int) bool) (brought, slack Amount) {
	for n, d := range x.packets {
		if !of(n) {
			continue
		}
		brought, slack = satAdd(brought, x.shares[n]), satAdd(slack, d.vague)
		if d.whole != m.slots.At(d.slot).amount {
			slack = satAdd(slack, d.pays-1)
		}
	}
	return brought, slack
}

// take notes what has arrived of a stream: all that it has of those packets, and of one
// more a part that delivers rest, for it is amounts that count. While no reply has told a
// rate, rest may have come with the others, if it is less than that one's minimum.
func (x *doubtStream) take(arrived []bool, rest Amount, rateHeard bool) {
	for n, d := range x.packets {
		keep, brought := x.amounts[n], x.shares[n]
		switch {
		case arrived[n]:
		case rest == 0 || rest >= x.shares[n] || !rateHeard && rest < x.minima[n]:
			continue
		default:
			keep, _ = mulDivCeil(keep, uint64(rest), uint64(x.shares[n]))
			brought, rest = rest, 0
		}
		d.apart = append(d.apart, portion{x.stream, keep, brought})
	}
}

// maxCertain bounds of how many packets decideSilent finds out whether they are certain:
// each takes a search of its own.
const maxCertain = 4

// decideSilent decides what has arrived of silent streams: what came with packets that have
// certainly arrived, and as much as was heard before. More may have, and nobody tells.
func (m *Machine) decideSilent(c *conn, all []*doubt, groups []doubtGroup) {
	surely, odds, tries := map[*doubt]bool{}, m.odds(c), 0
	for k := range groups {
		g := &groups[k]
		for n, d := range g.packets {
			if d.mixed && d.arrived && g.exact && tries < maxCertain {
				tries++
				surely[d] = g.must(n)
			}
		}
	}
	came := map[uint32]Amount{} // with those that are certain, to each silent stream
	for _, x := range m.silentStreams(all, func(d *doubt) bool { return surely[d] }) {
		for n, d := range x.packets {
			d.apart = append(d.apart, portion{x.stream, x.amounts[n], x.shares[n]})
			came[x.stream] = satAdd(came[x.stream], x.shares[n])
		}
	}
	silent := m.silentStreams(all, func(d *doubt) bool { return !surely[d] && (d.arrived || d.size == 0 || len(d.apart) > 0) })
	for _, x := range silent {
		rec := m.streams.At(x.stream)
		lead := floorSub(rec.remoteReceived, satAdd(rec.delivered, came[x.stream]))
		if !m.borneOut(c) {
			if n, _ := certain(lead, x.minima, x.shares); n >= 0 {
				x.packets[n].apart = append(x.packets[n].apart, portion{x.stream, x.amounts[n], x.shares[n]})
			}
			continue
		}
		arrived, rest := likeliestOf(len(silent), lead, x.shares)
		if rest <= odds || !m.rateHeard(c) {
			rest = 0
		}
		x.take(arrived, rest, true)
	}
}

// settleDoubt settles the money of one packet: what of it has arrived is sent, and the rest
// is free.
func (m *Machine) settleDoubt(c *conn, d *doubt, told bool) {
	s := m.slots.At(d.slot)
	least, brought, was := Amount(0), Amount(0), *s
	if d.arrived {
		brought = d.brought
	}
	keep := func(stream uint32, amount, dest *Amount) {
		kept := Amount(0)
		switch {
		case m.counts(stream, told) && d.cut:
			kept, _ = mulDivCeil(*amount, uint64(d.brought), uint64(d.size))
		case m.counts(stream, told) && d.arrived:
			kept = *amount
		default:
			for _, q := range d.apart {
				if q.stream == stream {
					kept = q.amount
					brought = satAdd(brought, q.brought)
				}
			}
		}
		m.free(s, c, stream, amount, dest, kept)
	}
	keep(s.stream, &s.part, &s.partDest)
	for p := s.more; p != 0; p = m.parts.At(p).next {
		x := m.parts.At(p)
		keep(x.stream, &x.amount, &x.dest)
	}
	if s.amount == 0 {
		m.unspend(s, c)
		return
	}
	if s.amount == was.amount && brought == d.whole {
		least = s.minDest
	}
	m.spend(s, c, max(brought, least))
	m.arrives(c, false)
}

// free frees of one stream's part of a packet what is not kept.
func (m *Machine) free(s *slot, c *conn, stream uint32, amount, dest *Amount, kept Amount) {
	rec, gone := m.streams.At(stream), *amount-kept
	if gone == 0 {
		return
	}
	keptDest, _ := mulDiv(*dest, uint64(kept), uint64(*amount))
	mustSub(&rec.heldOut, gone)
	mustSub(&m.ownColdStream(rec).unknown, gone)
	rec.heldDest = floorSub(rec.heldDest, *dest-keptDest)
	mustSub(&c.heldOut, gone)
	mustSub(&m.ownCold(c).unknown, gone)
	s.amount -= gone
	*amount, *dest = kept, keptDest
}

// level takes what the receiver says that it has of each stream for what was
// delivered, where over all streams that were counted our books say the same: what
// is ahead of one stream and behind of another would pass for packets later.
func (m *Machine) level(c *conn, told bool) {
	var received, delivered Amount
	for i := c.firstStream; i != 0; i = m.streams.At(i).next {
		if rec := m.streams.At(i); rec.flags.has(streamCounted) {
			received, delivered = satAdd(received, rec.remoteReceived), satAdd(delivered, rec.delivered)
		}
	}
	same := told && received == delivered && received < maxAmount
	for i := c.firstStream; i != 0 && same; i = m.streams.At(i).next {
		if rec := m.streams.At(i); rec.flags.has(streamCounted) {
			rec.delivered = rec.remoteReceived
		}
	}
	m.uncount(c)
}

// uncount ends a comparison.
func (m *Machine) uncount(c *conn) {
	for i := c.firstStream; i != 0; i = m.streams.At(i).next {
		m.streams.At(i).flags &^= streamCounted
	}
}
