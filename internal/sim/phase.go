package sim

// The phases of a run.
const (
	phaseSafety = iota // faults are on
	phaseLive          // they are healed: everything must come to rest
	phaseClose         // every connection is closed
	phaseEmpty         // nothing may be left
)

const (
	liveFor  = int64(900e9) // virtual ns within which everything has come to rest
	slowFor  = int64(15e9)  // what still moves after that is slow, not stuck
	closeFor = int64(400e9) // three minutes in which a blocked sender asks, and the idle timeout after them
	emptyFor = int64(800e9) // expiries, margins and tombstones included
)

func (w *World) nextPhase() {
	w.phase++
	w.since, w.before = w.now, w.packets
	w.mix(uint64(w.phase) << 60)
	switch w.phase {
	case phaseLive:
		w.heal()
	case phaseClose:
		for _, n := range w.nodes {
			if n.server != 0 && n.r.IntN(2) == 0 {
				n.d.CloseServer(n.now(), n.server)
			}
			for _, c := range n.conns {
				if !c.closed {
					c.closing = true
					_ = n.d.CloseConn(n.now(), c.h)
				}
			}
			n.settle()
		}
	case phaseEmpty:
		for _, n := range w.nodes {
			for _, c := range n.conns {
				n.letGo(c)
			}
		}
	}
	w.schedule(w.now+1e9, evProbe, 0, 0, nil)
}

// heal ends all faults and opens one more connection from each client, which
// must succeed.
func (w *World) heal() {
	w.faults.healed = true
	for _, s := range w.sockets {
		s.swallow, s.stall, s.trickle = false, 0, 0
	}
	for _, n := range w.nodes {
		n.doom, n.failing = 0, false
		n.restart()
	}
	for _, s := range w.sockets {
		s.restore()
	}
	if w.faults.on.Has(ClockJump) {
		w.setClocks()
	}
	least := uint64(10_000)
	for _, k := range w.connectors {
		k.num = k.baseNum
		least *= max(1, k.den/k.num)
	}
	need := 1 + w.amountMax/1000
	for _, k := range w.connectors {
		// Large enough to tell the rate; dust is lost to it, not refused.
		k.zeroIsR01 = false
		k.maxPacket = max(k.maxPacket, need, least)
		if out, ok := mulDiv(need, k.num, k.den); ok {
			need = out // as large in the units of the next
		}
	}
	w.least = least
	for _, n := range w.nodes {
		n.finish()
	}
	for _, n := range w.clients {
		w.awaited++
		w.schedule(w.now+between(n.r, 1e8, 3e9), evConnect, int32(n.id), 1, nil)
		if w.faults.on.Has(NewAddress) { // also on a healthy path, and all must go on
			w.schedule(w.now+between(n.r, 1e9, 6e9), evMove, int32(n.id), uint64(NewAddress)|lastMove, nil)
		}
	}
}

// setClocks brings all clocks to within a second of the one that is most ahead: a
// jump is made up for by the others, as no clock goes back.
func (w *World) setClocks() {
	ahead := w.connectors[0].clock.offset
	for _, k := range w.connectors {
		ahead = max(ahead, k.clock.offset)
	}
	for _, n := range w.nodes {
		ahead = max(ahead, n.clock.offset)
	}
	for _, k := range w.connectors {
		k.clock.offset = max(k.clock.offset, ahead-between(k.r, 0, 1e9))
	}
	for _, n := range w.nodes {
		n.clock.offset = max(n.clock.offset, ahead-between(n.r, 0, 1e9))
		n.arm()
	}
}

// probe looks whether the phase is over.
func (w *World) probe() {
	switch w.phase {
	case phaseLive:
		w.probeLive()
	case phaseClose:
		for _, n := range w.nodes {
			for _, c := range n.conns {
				if !c.closed {
					if w.now-w.since > closeFor {
						w.violate("L3", "node %d: connection %d does not close", n.id, c.oc.id)
					}
					w.again(1e9)
					return
				}
			}
		}
		w.nextPhase()
	case phaseEmpty:
		w.probeEmpty()
	}
}

// slow says that connections which merely get on need not be waited for.
func (w *World) slow() bool { return w.now-w.since > slowFor || w.packets-w.before > maxPackets }

func (w *World) again(d int64) { w.schedule(w.now+d, evProbe, 0, 0, nil) }

func (w *World) probeLive() {
	if w.now-w.since < 4e9 {
		w.again(1e9)
		return
	}
	for _, n := range w.nodes {
		n.finish()
	}
	busy := w.awaited > 0
	if busy && w.now-w.since > liveFor {
		w.violate("L1", "%d clients are not told their address", w.awaited)
	}
	for _, n := range w.nodes {
		for _, c := range n.conns {
			rest, why := n.atRest(c)
			if c.proof && c.closed && !c.proven {
				info, _ := n.d.m.ConnInfo(c.h)
				w.violate("L1", "node %d: connection %d was to succeed on a healthy path, and ended: %s", n.id, c.oc.id, info.CloseMessage)
			}
			c.proven = c.proven || rest
			if sum := n.moved(c); sum != c.progress {
				c.progress, c.movedAt = sum, w.now
			}
			if !rest && !c.proof && w.slow() && w.now-c.movedAt < 60e9 {
				continue // it gets on, in packets as small as it was told
			}
			if !rest {
				if w.now-w.since > liveFor {
					name := "L1"
					if !c.proof {
						name = "L2"
					}
					info, _ := n.d.m.ConnInfo(c.h)
					w.violate(name, "node %d: connection %d (client %v) neither ends nor completes: %s; %+v", n.id, c.oc.id, c.client, why, info)
				}
				busy = true
			}
		}
	}
	if busy {
		w.again(1e9)
		return
	}
	for _, n := range w.nodes {
		for _, c := range n.conns {
			if !c.closed {
				w.completed++
			}
		}
	}
	w.nextPhase()
}

// probeEmpty checks that nothing is left once all that was in flight has expired.
func (w *World) probeEmpty() {
	for _, n := range w.nodes {
		for _, c := range n.conns {
			if c.closed { // one that a late packet has opened since
				n.letGo(c)
			}
		}
		s := n.d.m.Stats()
		if s.Connections+s.Streams+s.InFlight+s.Holds > 0 || len(n.staged) > 0 {
			if w.now-w.since > emptyFor {
				w.violate("L4", "node %d: %d connections, %d streams, %d requests, %d holds are left", n.id, s.Connections, s.Streams, s.InFlight, s.Holds)
			}
			w.again(5e9)
			return
		}
	}
	w.settleBooks()
	w.done = true
}

// settleBooks compares all books at the end.
func (w *World) settleBooks() {
	o := w.oracle
	for _, c := range o.conns {
		for _, f := range c.flows {
			if f.released.less(f.paid) {
				o.violate("M3", "more was paid than credited: %s", f.describe())
			}
			if w.faults.on == 0 && (f.paid != f.released || f.open != (sum{}) || f.must != f.source) {
				o.violate("M3", "the books differ though nothing went wrong: %s", f.describe())
			}
			if f.dest.ledger && f.durable.minus(f.durableBefore) != f.here() {
				o.violate("M3", "credits less voids are not what was released: %s", f.describe())
			}
			if f.moneyReceived != f.released {
				o.violate("M11", "events tell of %d received: %s", f.moneyReceived.lo, f.describe())
			}
		}
	}
	for _, n := range w.nodes {
		for _, p := range n.ports {
			for request, in := range p.inbound {
				if in.answers == 0 && in.epoch == p.socket.epoch {
					o.violate("T2", "node %d never answered request %#x", n.id, request)
				}
			}
		}
	}
}
