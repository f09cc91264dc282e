package stream

import (
	"math"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// armConn sets the connection's one timer to its next deadline. It is called
// when a deadline may have come nearer, never once a packet: the idle deadline
// is looked at when it fires.
func (m *Machine) armConn(i uint32, c *conn) {
	if c.flags.has(flagClosed) {
		return
	}
	o, cold := m.optionsOf(c), m.coldOf(c)
	at := Instant(math.MaxInt64)
	if o.IdleTimeout > 0 && cold.closeAfter == 0 {
		at = min(at, c.lastActive+Instant(o.IdleTimeout))
	}
	switch {
	case o.SleepAfter <= 0:
	case c.flags.has(flagAsleep): // what kept it from being folded may be over then
		at = min(at, m.now+max(Instant(o.SleepAfter), 1e9))
	default:
		at = min(at, max(c.lastActive+Instant(o.SleepAfter), m.now+1e9))
	}
	if cold.retry.notBefore > m.now {
		at = min(at, cold.retry.notBefore)
	}
	if cold.paceNext > m.now {
		at = min(at, cold.paceNext)
	}
	if cold.askAt != 0 && !c.flags.has(flagEnding) {
		at = min(at, max(cold.askAt, m.now+1))
	}
	if c.flags.has(flagProbing) {
		if p := m.probes.At(c.probe); p.notBefore > m.now {
			at = min(at, p.notBefore)
		}
	}
	if cold.closeAfter != 0 {
		at = min(at, cold.closeAfter)
	}
	if at == math.MaxInt64 {
		m.connTimers.Clear(i)
		return
	}
	m.connTimers.Set(i, int64(at))
}

// connTimeout takes a connection whose timer has fired.
func (m *Machine) connTimeout(i uint32, c *conn) {
	o, cold := m.optionsOf(c), m.coldOf(c)
	switch {
	case c.flags.has(flagClosed):
		return
	case cold.closeAfter != 0 && m.now >= cold.closeAfter:
		m.endAsSaid(i, c)
		return
	case o.IdleTimeout > 0 && cold.closeAfter == 0 && m.now >= c.lastActive+Instant(o.IdleTimeout):
		m.failConn(i, c, frame.InternalError, "no packet for too long")
	case o.SleepAfter > 0 && m.now >= c.lastActive+Instant(o.SleepAfter) && c.refs == 0 && !c.flags.has(flagQueued|flagProbing):
		if !c.flags.has(flagAsleep) {
			m.sleep(i, c)
		}
		if m.fold(i, c) {
			return
		}
	}
	if cold = m.coldOf(c); cold.askAt != 0 && m.now >= cold.askAt && !c.flags.has(flagClosed|flagEnding) {
		m.askAgain(c)
	}
	if !c.flags.has(flagClosed) && !m.plant.asleep() {
		m.armConn(i, c)
		m.wakeConn(i, c)
	}
}

const (
	// timersTogether is how many timers one HandleTimeout serves: those of a million
	// connections may be due at once, and its owner has others to serve.
	timersTogether = 256
	// timersPause is how long the owner serves those before the next timers, which take it
	// less than a quarter of that.
	timersPause = 1e6
)

// HandleTimeout does what is due by now: of more than 256 timers the first ones, and
// NextTimeout is when the next are wanted, a millisecond later. Who does not call again then
// leaves them undone.
func (m *Machine) HandleTimeout(now Instant, out Output) {
	m.now = now
	m.beginAnswers()
	m.behind = 0
	if !m.serveTimers(out) {
		m.behind = now + timersPause
	}
	if len(m.starved) > 0 && now >= m.starvedAt+starvedRetry {
		for _, l := range m.starved {
			m.links.At(l).starved = false
			m.linkReady(l, m.links.At(l))
		}
		m.starved = m.starved[:0]
	}
	m.endAnswers()
}

// serveTimers serves timers that are due, and says whether those were all.
func (m *Machine) serveTimers(out Output) bool {
	for _, w := range [...]*slab.Wheel{m.slotTimers, m.holdTimers, m.connTimers, m.idleTimers} {
		w.Advance(int64(m.now))
	}
	left := timersTogether
	for i, ok := m.due(m.holdTimers, &left); ok; i, ok = m.due(m.holdTimers, &left) {
		m.tooLate(i, out)
	}
	for i, ok := m.due(m.slotTimers, &left); ok; i, ok = m.due(m.slotTimers, &left) {
		m.slotTimeout(i, out)
	}
	for self, ok := m.due(m.idleTimers, &left); ok; self, ok = m.due(m.idleTimers, &left) {
		m.unfold(self) // its own timer is next
	}
	for i, ok := m.due(m.connTimers, &left); ok; i, ok = m.due(m.connTimers, &left) {
		m.connTimeout(i, m.conns.At(i))
	}
	for ; left > 0 && m.oldestGrave != 0 && m.graves.At(m.oldestGrave).until <= m.now; left-- {
		m.openGrave()
	}
	return left > 0
}

// due is the next timer of a wheel that is due, as long as some are left to be served.
func (m *Machine) due(w *slab.Wheel, left *int) (i uint32, ok bool) {
	if *left > 0 {
		if i, ok = w.PopExpired(int64(m.now)); ok {
			*left--
		}
	}
	return i, ok
}

// slotTimeout takes a slot whose timer has fired. It may be that of an earlier request
// in the same slot: no timer is cleared when an answer comes.
func (m *Machine) slotTimeout(i uint32, out Output) {
	if m.slots.Generation(i)&1 == 0 {
		return
	}
	switch s := m.slots.At(i); {
	case s.flags.has(slotSpent | slotDoubt):
	case m.deadlineOf(s) > m.now:
		m.slotTimers.Set(i, int64(m.deadlineOf(s)))
	default:
		m.expireSlot(i, out)
	}
}

// tooLate takes a hold whose decision has not come in time, or whose fulfill found
// no room.
func (m *Machine) tooLate(i uint32, out Output) {
	rec := m.holds.At(i)
	m.releaseHold(m.holds.Handle(i), rec.state == holdReady && rec.durable, out)
}

// starvedRetry is when a link that had no room is tried again.
const starvedRetry = 2e6

// NextTimeout is when HandleTimeout is wanted next; false means never.
func (m *Machine) NextTimeout() (Instant, bool) {
	if m.behind != 0 {
		return min(m.behind, m.now+timersPause), true
	}
	at, any := int64(math.MaxInt64), false
	for _, w := range [...]*slab.Wheel{m.slotTimers, m.holdTimers, m.connTimers, m.idleTimers} {
		if t, ok := w.Next(); ok {
			at, any = min(at, t), true
		}
	}
	if m.oldestGrave != 0 {
		at, any = min(at, int64(m.graves.At(m.oldestGrave).until)), true
	}
	if len(m.starved) > 0 {
		at, any = min(at, int64(m.starvedAt)+starvedRetry), true
	}
	return m.plant.timer(Instant(at), m.now), any
}
