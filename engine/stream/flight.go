package stream

import "math"

// load is what is in flight, and limits are the windows that bound it: in
// packets, in money and in octets, of a connection and of a link.
type load struct {
	packets uint32
	above   uint32 // how often money has passed 2^64-1
	octets  uint64
	money   Amount
}

func (l *load) add(s *slot) {
	l.packets++
	l.octets += uint64(s.octets)
	sum, ok := addAmount(l.money, s.amount)
	if l.money = sum; !ok {
		l.above++
	}
}

func (l *load) remove(s *slot) {
	l.packets--
	l.octets -= uint64(s.octets)
	rest, ok := subAmount(l.money, s.amount)
	if l.money = rest; !ok {
		l.above--
	}
}

// full says whether windows of so much leave no room for another packet.
func (l *load) full(packets uint32, octets uint64, money Amount) bool {
	return l.packets >= packets || l.octets >= octets || l.above > 0 || l.money >= money
}

// room is how much money a window has room for.
func (l *load) room(window Amount) Amount {
	if l.above > 0 {
		return 0
	}
	return floorSub(window, l.money)
}

func (l *link) full() bool {
	return l.crowded || l.flight.full(l.window, l.windowOctets, l.windowMoney)
}

// crowds says whether a connection waits for money of others on its link: what room
// they leave would arrive as nothing.
func (m *Machine) crowds(l *link, c *conn) bool {
	return l.flight.packets > 0 && l.flight.room(l.windowMoney) < c.leastSource() && m.canSend(c)
}

func (m *Machine) flightFull(c *conn) bool {
	o := m.optionsOf(c)
	return c.flight.full(c.window.size, uint64(o.MaxInFlightOctets), o.MaxInFlightAmount)
}

// moneyRoom is how much money the windows let into the next packet.
func (m *Machine) moneyRoom(c *conn, l *link) Amount {
	return min(c.flight.room(m.optionsOf(c).MaxInFlightAmount), l.flight.room(l.windowMoney))
}

// enterFlight counts a packet that is written, and leaveFlight one that is
// answered or given up.
func (m *Machine) enterFlight(i uint32, s *slot, c *conn, l *link) {
	c.flight.add(s)
	c.window.reached(c.flight.packets)
	m.track(l, i, s)
	m.slotTimers.Within(i, int64(m.deadlineOf(s)))
	if l.sizesItself {
		l.sizer.reached(l.flight.packets)
	}
	if pace := m.optionsOf(c).PacketsPerSecond; pace > 0 {
		cold := m.ownCold(c)
		cold.paceNext = max(cold.paceNext, m.now-paceBurst) + Instant(1e9/pace)
	}
}

// deadlineOf is when a request is given up.
func (m *Machine) deadlineOf(s *slot) Instant {
	if s.flags.has(slotEcho) {
		return Instant(s.expiresMs * 1e6) // who asked waits no longer
	}
	return Instant(min(s.expiresMs, s.sentAt.unixMs()+maxWaitMs)*1e6 + m.cfg.ExpiryMargin)
}

func (m *Machine) leaveFlight(s *slot) {
	l := m.links.At(s.link)
	m.untrack(l, s)
	m.linkReady(s.link, l)
	if s.conn != 0 {
		m.conns.At(s.conn).flight.remove(s)
	}
}

// roundTrip lets the windows, and the pauses of data, learn from a packet that was
// fulfilled.
func (m *Machine) roundTrip(s *slot, c *conn) {
	c.window.fulfilled(m.now, s.sentAt)
	if s.flags.has(slotData) && c.flags.has(flagRetrying) {
		if r := &m.ownCold(c).retry; r.failing == 0 && s.sentAt >= r.since {
			r.delay = 0 // the path is open again; what is said of money stays
		}
	}
	if s.flags.has(slotUnknown) {
		return // its link has a new socket, or none
	}
	m.links.At(s.link).roundTrip(m.now, s.sentAt)
}

func (l *link) roundTrip(now, sentAt Instant) {
	if l.sizesItself {
		l.sizer.fulfilled(now, sentAt)
		l.window = l.sizer.size
	}
}

// sizeItself begins a link's own window: it is shortFlight to begin with, and opens as
// far as maxLinkWindow where the path is long.
func (l *link) sizeItself() {
	l.sizesItself = true
	l.sizer.init(CongestionAIMD, maxLinkWindow)
	l.sizer.size = shortFlight
	l.window = shortFlight
}

// maxLinkWindow is how far a link's window opens by itself: 200,000 packets a second
// over a path of 300 ms.
const maxLinkWindow = 1 << 16

// paceBurst is how much of its pace a connection may catch up on at once: timers
// are no finer.
const paceBurst = 10e6

// paced is the earliest instant of the next packet.
func (m *Machine) paced(c *conn) bool {
	return m.optionsOf(c).PacketsPerSecond > 0 && m.now < m.coldOf(c).paceNext
}

func noLimit[T int | Amount](v T, most T) T {
	if v == 0 {
		return most
	}
	return v
}

const noOctets = math.MaxInt
