package sim

// What a process that ends takes with it, as far as the books go. A receiver that
// comes back has the same server secret, and so takes the packets of its
// connections again, but its totals, receive maxima, receipts and replay floors
// begin anew. So, of the checks of one flow:
//
//   - M3, M4: over all processes; what the disk holds when the next one starts is
//     compared with what was paid, and with every credit that was durable;
//   - M5, M7, M10, R1, R2, R3: within one process;
//   - D2: a sender may go by the windows that any process has told, and what one
//     process holds unread stays within the window that it may tell;
//   - M12: not of a connection whose server has started anew;
//   - M1, M8, M9, D3: of a sender that goes on, as ever; of a sender that ended,
//     no more: what it still owes is what the links say;
//   - L1, L2: not of a connection of which one end knows less than the other. It
//     must close and leave nothing (L3, L4); one whose client is gone must end of
//     itself, by its idle time-out.

// forget notes that a node's process has ended.
func (o *oracle) forget(n *node) {
	for _, c := range o.conns {
		switch n {
		case c.ports[0].n:
			c.orphaned = true
		case c.ports[1].n:
			c.forgotten = c.forgotten || c.flows[0].to != 0
		}
		for _, f := range c.flows {
			if f.origin == n {
				f.forgetSender()
			}
			if f.dest == n {
				f.forgetReceiver()
			}
		}
	}
}

func (f *flow) forgetSender() {
	f.from, f.first, f.lastSequence, f.window, f.sent = 0, nil, 0, assumedConnWindow, 0
	f.sendMax, f.must, f.may, f.open, f.fresh, f.claimed, f.least = sum{}, sum{}, sum{}, sum{}, sum{}, sum{}, sum{}
	f.inFlight, f.oldest = nil, 0
	for _, s := range f.streams {
		s.window, s.high, s.pieces = assumedStreamWindow, 0, map[uint64]uint32{}
	}
}

func (f *flow) forgetReceiver() {
	f.to, f.before, f.moneyReceived = 0, f.released, f.released
	f.lost, f.sequences = f.sequences, map[uint64]uint8{}
	for _, s := range f.streams { // the sender may know the window that any process has
		s.windowTold, s.least, s.advertised, s.told, s.receipt = max(s.windowTold, uint64(f.dest.options.StreamWindow)), sum{}, 0, 0, 0
	}
}

// here is what the receiver's present process has released.
func (f *flow) here() sum { return f.released.minus(f.before) }

// recovered compares what a node's disk holds as its next process starts with
// what the one before has done.
func (o *oracle) recovered(n *node, records []record) {
	if !n.ledger {
		return
	}
	credited := map[[16]byte]sum{}
	held := map[[16]byte]map[uint64]bool{}
	for i := range records {
		r := &records[i]
		s := credited[r.conn]
		if r.void {
			s.sub(r.amount)
		} else {
			s.add(r.amount)
			if held[r.conn] == nil {
				held[r.conn] = map[uint64]bool{}
			}
			held[r.conn][r.sequence] = true
		}
		credited[r.conn] = s
	}
	for _, c := range o.conns {
		for _, f := range c.flows {
			if f.dest != n {
				continue
			}
			f.durable = credited[c.name]
			f.durableBefore = f.durable
			if f.durable.less(f.paid) {
				o.violate("M3", "the disk of node %d has less than was paid: %s", n.id, f.describe())
			}
			if f.durable.less(f.released) {
				o.violate("M4", "the disk of node %d has less than was fulfilled: %s", n.id, f.describe())
			}
			missing := ^uint64(0)
			for sequence, state := range f.lost {
				if state&durable != 0 && !held[c.name][sequence] {
					missing = min(missing, sequence)
				}
			}
			if missing != ^uint64(0) {
				o.violate("M4", "connection %d: the credit of sequence %d was durable, and is not on the disk of node %d", c.id, missing, n.id)
			}
			f.lost = nil
		}
	}
}
