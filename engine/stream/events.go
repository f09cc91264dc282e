package stream

import "github.com/millrace-ilp/millrace/pool/slab"

// eventQueue is a bounded queue. Money is not queued packet by packet: a
// stream adds up what waits, and stands in the queue once. When the queue is
// full, opened streams and connections are refused before they happen
// (Machine.crowded), so nothing an application must know is ever dropped.
type eventQueue struct {
	buf   []Event
	head  int
	limit int
}

func (q *eventQueue) push(e Event) { q.buf = append(q.buf, e) }

func (q *eventQueue) last() *Event { return &q.buf[len(q.buf)-1] }

func (q *eventQueue) len() int { return len(q.buf) - q.head }

// crowded says that the application is far behind with its events: a peer may
// open nothing new until it has caught up.
func (m *Machine) crowded() bool { return m.events.len() >= m.events.limit }

// PollEvent returns the next event. Its owner polls until false after every
// call that may have made any.
func (m *Machine) PollEvent() (Event, bool) {
	q := &m.events
	for q.head < len(q.buf) {
		e := q.buf[q.head]
		q.head++
		if q.head == len(q.buf) {
			q.buf, q.head = q.buf[:0], 0
		} else if q.head > 4096 && q.head*2 > len(q.buf) {
			q.buf = q.buf[:copy(q.buf, q.buf[q.head:])]
			q.head = 0
		}
		if m.fillEvent(&e) {
			return e, true
		}
	}
	return Event{}, false
}

// fillEvent completes a queued event with what has added up since.
func (m *Machine) fillEvent(e *Event) bool {
	if s, ok := m.streams.Get(slab.Handle(e.Stream)); ok {
		if s.user != 0 {
			e.User = s.user
		}
		switch e.Kind {
		case EventMoneyReceived:
			e.Amount, e.Packets = s.moneyIn.amount, s.moneyIn.packets
			s.moneyIn = pendingMoney{}
			return e.Packets > 0
		case EventMoneySent:
			e.Amount, e.Packets = s.moneyOut.amount, s.moneyOut.packets
			s.moneyOut = pendingMoney{}
			return e.Packets > 0
		case EventReadable:
			s.flags &^= streamReadEvent
		case EventReceiveLimit:
			s.flags &^= streamLimitEvent
		}
	} else if e.Packets == 0 && (e.Kind == EventMoneyReceived || e.Kind == EventMoneySent) {
		return false // settled when the stream was let go
	}
	if e.User == 0 {
		if c, ok := m.conns.Get(slab.Handle(e.Conn)); ok {
			e.User = c.user
		}
	}
	return true
}

func (m *Machine) connEvent(kind EventKind, c uint32) {
	m.events.push(Event{Kind: kind, Conn: ConnHandle(m.conns.Handle(c)), User: m.conns.At(c).user})
}

func (m *Machine) streamEvent(kind EventKind, i uint32, s *streamRec) {
	m.events.push(Event{
		Kind: kind, Code: s.code, User: s.user, Remote: s.flags.has(streamRemoteClosed),
		Conn: ConnHandle(m.conns.Handle(s.conn)), Stream: StreamHandle(m.streams.Handle(i)),
	})
}

func (m *Machine) moneyReceived(i uint32, s *streamRec, amount Amount) {
	m.plant.event(&amount)
	if s.moneyIn.packets == 0 {
		m.streamEvent(EventMoneyReceived, i, s)
	}
	s.moneyIn.amount = satAdd(s.moneyIn.amount, amount)
	s.moneyIn.packets++
}

func (m *Machine) moneySent(i uint32, s *streamRec, amount Amount) {
	if s.moneyOut.packets == 0 {
		m.streamEvent(EventMoneySent, i, s)
	}
	s.moneyOut.amount = satAdd(s.moneyOut.amount, amount)
	s.moneyOut.packets++
}

func (m *Machine) readable(i uint32, s *streamRec) {
	if !s.flags.has(streamReadEvent) {
		s.flags |= streamReadEvent
		m.streamEvent(EventReadable, i, s)
	}
}

// limitEvent tells of a receive maximum of the peer's, once until it is polled.
func (m *Machine) limitEvent(i uint32, s *streamRec) {
	if !s.flags.has(streamLimitEvent) {
		s.flags |= streamLimitEvent
		m.streamEvent(EventReceiveLimit, i, s)
	}
}
