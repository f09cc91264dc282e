package sim

// crashNext ends a node's process, now or at one of the next instants between
// what its owner does, and plans the next time.
func (w *World) crashNext(n *node, how Fault) {
	if w.phase != phaseSafety {
		return
	}
	w.schedule(w.now+w.crashGap(how), evCrash, int32(n.id), uint64(how), nil)
	switch r := w.faults.r; {
	case n.down || n.doom > 0:
	case how == SyncFails:
		n.failing = true
	case r.IntN(2) == 0:
		n.crash(how)
	default:
		n.doom, n.doomBy = 1+r.IntN(60), how
	}
}

// mistake is what the owner of the machines does wrong, to show that the checks
// notice.
type mistake uint8

const (
	goesOn     mistake = iota + 1 // after a failed sync
	neverSyncs                    // but says so
	sameSeed                      // for every process
)

// crashed is the value of the panic with which a process ends in the midst of
// what its owner does.
var crashed = new(int)

// point is an instant between two things that a machine's owner does one after
// the other, at which its process may end.
func (n *node) point() {
	if n.doom == 0 {
		return
	}
	if n.doom--; n.doom == 0 {
		n.crash(n.doomBy)
		n.w.unwinding = true
		panic(crashed)
	}
}

// crash ends a node's process. What it knew is gone, but for its disk; sockets
// are closed.
func (n *node) crash(how Fault) {
	w := n.w
	w.count[how]++
	w.trace(0xd0, uint64(n.id), uint64(how))
	w.log(0x30|uint64(how)<<8, uint64(n.id), uint64(n.boots))
	w.oracle.forget(n)
	n.disk.crash(how, w.faults.r)
	n.down, n.doom, n.failing = true, 0, false
	n.d, n.conns, n.byConn, n.byStream, n.timerAt = driver{}, nil, nil, nil, 0
	n.out, n.staged, n.touched = n.out[:0], n.staged[:0], n.touched[:0]
	for _, p := range n.ports {
		p.up = false
		p.inbound = map[uint32]*inbound{}
		p.socket.cut()
	}
	w.schedule(w.now+int64(logUniform(w.faults.r, 1, 60e9)), evRestart, int32(n.id), 0, nil)
}

// restart starts the process anew, with what the disk holds.
func (n *node) restart() {
	if !n.down {
		return
	}
	n.down = false
	n.boots++
	n.boot()
	n.w.oracle.recovered(n, n.disk.recover())
	for _, p := range n.ports {
		p.up = true
		p.socket.restore()
	}
	n.arm()
}

// survive goes on after a process has ended in the midst of an event.
func (w *World) survive(e *event) {
	if !w.unwinding {
		return
	}
	w.unwinding = false
	if x := recover(); x != crashed {
		panic(x)
	}
	if e.kind == evApp {
		w.appNext(w.nodes[e.who])
	}
}
