package stream

// hearRate takes in what the receiver says has arrived of a packet. What arrives of a few units
// is mostly rounding: a larger packet before it says more of the rate, and is remembered while
// it foretells what arrives.
func (m *Machine) hearRate(c *conn, arrived, amount Amount) {
	last, now := c.lastRate, rate{uint64(arrived), uint64(amount)}
	c.lastRate = now
	if now != last && (now.num != now.den || last.num != last.den) {
		m.keepLarge(c, last, now)
	}
}

// keepLarge keeps the rate of a packet before this one, if it says more.
func (m *Machine) keepLarge(c *conn, last, now rate) {
	large := m.coldOf(c).largeRate
	if last.den > large.den || !large.foretells(last) {
		large = last
	}
	if large.den <= now.den || !large.foretells(now) {
		large = rate{}
	}
	if large != m.coldOf(c).largeRate {
		m.ownCold(c).largeRate = large
	}
}

// foretells says whether so much arrives at a rate as a packet told, but for the rounding of
// each connector: a unit of theirs, or what two of ours bring.
func (r rate) foretells(told rate) bool {
	if r.num == 0 || told.den == 0 {
		return false
	}
	foretold, arrived := r.dest(Amount(told.den)), Amount(told.num)
	return max(foretold, arrived)-min(foretold, arrived) <= max(1, r.dest(2))
}

// rateHeard says that the receiver has told what arrives of some packet.
func (m *Machine) rateHeard(c *conn) bool {
	return c.lastRate.num > 0 || m.coldOf(c).largeRate.num > 0
}

// estimate is a rate at which packets in doubt may have arrived.
type estimate struct {
	rate
	read bool // off one packet: it is as precise as what arrived of that
}

// vague is how much more may have arrived of an amount than by the rate.
func (e estimate) vague(amount Amount) Amount {
	if !e.read || e.num == e.den || uint64(amount) == e.den {
		return 0
	}
	return Amount((uint64(amount)-1)/e.den + 1)
}

// estimates are the n rates at which packets in doubt may have arrived, the likeliest first:
// the rate that was looked for, which is the most precise, while what was told bears it out;
// that of a large packet, while the last one bears it out; that of the last; and the first all
// the same, for it may have changed since they arrived.
func (m *Machine) estimates(c *conn) (list [3]estimate, n int) {
	add := func(r rate, read bool) {
		list[n] = estimate{r, read}
		n++
	}
	last, surest := c.lastRate, c.lastRate
	if large := m.coldOf(c).largeRate; large.foretells(last) {
		surest = large
	}
	if surest.num == 0 {
		add(c.rate, false)
		return list, n
	}
	borne := c.rate.dest(Amount(surest.den)) == Amount(surest.num)
	if borne {
		add(c.rate, false)
	}
	if surest != last {
		add(surest, true)
	}
	if last.num > 0 { // else of its few units nothing has arrived
		add(last, true)
	}
	if !borne {
		add(c.rate, false)
	}
	return list, n
}

// likeliest is the first of the estimates.
func (m *Machine) likeliest(c *conn) estimate {
	list, _ := m.estimates(c)
	return list[0]
}

// likeliestDoubts is doubts at the likeliest rate; or, if by that what the totals are ahead by
// is other packets than any, by more than a rate drifts, at another by which it is just some.
func (m *Machine) likeliestDoubts(c *conn, told bool) (all []*doubt, groups []doubtGroup) {
	const drift = 64
	rates, n := m.estimates(c)
	all, groups = m.doubts(c, rates[0], told)
	odds, lead := m.odds(c), Amount(0)
	for k := range groups {
		lead = satAdd(lead, groups[k].lead(true))
	}
	if !told || !m.borneOut(c) || misfit(groups) <= satAdd(odds, lead/drift) {
		return all, groups
	}
	for _, r := range rates[1:n] {
		if all, groups := m.doubts(c, r, told); misfit(groups) <= odds {
			return all, groups
		}
	}
	return m.doubts(c, rates[0], told)
}

// misfit is by how much what all groups are ahead by is not just some of their packets.
func misfit(groups []doubtGroup) (sum Amount) {
	for k := range groups {
		sum = satAdd(sum, groups[k].misfit())
	}
	return sum
}
