package sim

// The faults that come with time.

// gap is how long it is to the next fault of a kind that comes with time.
func (w *World) gap(f Fault) int64 {
	mean := int64(3e14) / int64(w.faults.strength[f]) // 1 s at the strongest, 300 s at the weakest
	return between(w.faults.r, mean/10, 2*mean)
}

// crashGap is longer, as a process is down for a while each time; but a sync only
// fails where there is something to sync.
func (w *World) crashGap(f Fault) int64 {
	if f == SyncFails {
		return w.gap(f) / 2
	}
	return 3 * w.gap(f)
}

// plan schedules the first of each.
func (w *World) plan() {
	on := w.faults.on
	for _, s := range w.sockets {
		for _, x := range [...]struct {
			f    Fault
			kind eventKind
			arg  uint64
		}{{Cut, evCut, 0}, {BlackHole, evBlackHole, 1}, {Trickle, evTrickle, 1}, {ReconnectStorm, evStorm, 0}} {
			if on.Has(x.f) {
				w.schedule(w.gap(x.f), x.kind, int32(s.id), x.arg, nil)
			}
		}
	}
	if on.Has(RateStep) || on.Has(RateDrift) || on.Has(MaxPacket) || on.Has(Liquidity) {
		for _, k := range w.connectors {
			w.schedule(between(w.faults.r, 1e8, 5e9), evDrift, int32(k.id), 0, nil)
		}
	}
	for _, n := range w.nodes {
		if on.Has(ClockJump) {
			w.schedule(w.gap(ClockJump), evJump, int32(n.id), 0, nil)
		}
		for _, f := range [...]Fault{Crash, SyncFails, WriteLost, Torn} {
			if on.Has(f) && (f == Crash || n.ledger) {
				w.schedule(w.crashGap(f), evCrash, int32(n.id), uint64(f), nil)
			}
		}
		for _, f := range [...]Fault{NewAddress, FalseAddress} {
			if on.Has(f) && n.client {
				w.schedule(w.gap(f), evMove, int32(n.id), uint64(f), nil)
			}
		}
	}
}

// cutNext cuts a socket, has it come back, and plans the next cut.
func (w *World) cutNext(s *socket) {
	if w.phase != 0 {
		return
	}
	if s.up {
		w.count[Cut]++
		s.cut()
		down := between(w.faults.r, 1e6, 8e9)
		w.schedule(w.now+down, evSocketUp, int32(s.id), 0, nil)
	}
	w.schedule(w.now+w.gap(Cut), evCut, int32(s.id), 0, nil)
}

// stormNext cuts a socket that comes back at once, so many times more.
func (w *World) stormNext(s *socket, more uint64) {
	if w.phase != 0 {
		return
	}
	r := w.faults.r
	if more == 0 { // the next storm
		w.schedule(w.now+4*w.gap(ReconnectStorm), evStorm, int32(s.id), 3+r.Uint64N(40), nil)
		return
	}
	if s.up {
		w.count[ReconnectStorm]++
		s.cut()
		w.schedule(w.now+between(r, 0, 5e7), evSocketUp, int32(s.id), 0, nil)
	}
	w.schedule(w.now+between(r, 0, 2e8), evStorm, int32(s.id), more-1, nil)
}

// trickle makes a socket deliver one message at a time, or ends that.
func (w *World) trickle(s *socket, on bool) {
	if w.phase != 0 {
		return
	}
	r := w.faults.r
	s.trickle = 0
	if on {
		s.trickle = int64(logUniform(r, 1e5, 1e8))
		w.schedule(w.now+between(r, 1e8, 10e9), evTrickle, int32(s.id), 0, nil)
		return
	}
	w.schedule(w.now+w.gap(Trickle), evTrickle, int32(s.id), 1, nil)
}

func (w *World) blackHole(s *socket, on bool) {
	s.swallow = on && w.phase == 0
	if w.phase != 0 {
		return
	}
	if on {
		w.schedule(w.now+between(w.faults.r, 1e7, 20e9), evBlackHole, int32(s.id), 0, nil)
		return
	}
	w.schedule(w.now+w.gap(BlackHole), evBlackHole, int32(s.id), 1, nil)
}

// driftNext changes a connector's rate or limits.
func (w *World) driftNext(k *connector) {
	if w.phase != 0 {
		return
	}
	r := w.faults.r
	if w.faults.on.Has(RateStep) && r.IntN(4) == 0 {
		w.count[RateStep]++
		k.num = max(1, k.baseNum/100*uint64(50+r.IntN(100)))
	}
	if w.faults.on.Has(RateDrift) {
		w.count[RateDrift]++
		k.num = max(1, k.num+k.num/1000*uint64(r.IntN(3))-k.num/1000)
	}
	if w.faults.on.Has(MaxPacket) && r.IntN(3) == 0 {
		w.count[MaxPacket]++
		k.maxPacket = logUniform(r, 1+w.amountMax/1000, w.amountMax)
	}
	if w.faults.on.Has(Liquidity) {
		k.liquidity = logUniform(r, 1, w.amountMax)
	}
	w.schedule(w.now+between(r, 1e8, 5e9), evDrift, int32(k.id), 0, nil)
}

// jumpNext sets a node's clock ahead.
func (w *World) jumpNext(n *node) {
	if w.phase != 0 {
		return
	}
	w.count[ClockJump]++
	n.clock.offset += between(w.faults.r, 1e6, 2e9)
	n.arm()
	w.schedule(w.now+w.gap(ClockJump)*4, evJump, int32(n.id), 0, nil)
}
