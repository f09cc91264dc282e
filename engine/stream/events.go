package stream

import "github.com/millrace-ilp/millrace/pool/slab"

// eventQueue is a bounded queue. Money is not queued packet by packet: a
// stream adds up what waits, and stands in the queue once. When the queue is
// full, opened streams and connections are refused before they happen
// (Machine.crowded), so nothing an application must know is ever dropped.
type eventQueue struct {
	queue slab.FIFO[queued]
	whole slab.FIFO[Event] // those that queue says are whole, in the same order
	limit int
}

// queued is an event in 16 octets: of most, what a stream adds up says all.
type queued struct {
	kind   EventKind
	whole  bool
	stream StreamHandle
}

func (q *eventQueue) push(e Event) {
	q.queue.Push(queued{whole: true})
	q.whole.Push(e)
}

func (q *eventQueue) last() *Event { return q.whole.Last() }

func (q *eventQueue) len() int { return q.queue.Len() }

// crowded says that the application is far behind with its events: a peer may
// open nothing new until it has caught up.
func (m *Machine) crowded() bool { return m.events.len() >= m.events.limit }

// PollEvent returns the next event. Its owner polls until false after every
// call that may have made any.
func (m *Machine) PollEvent() (e Event, ok bool) {
	for m.events.len() > 0 {
		if m.nextEvent(&e) {
			return e, true
		}
	}
	return Event{}, false
}

// PollEvents appends the events that wait to dst, as long as there is room in it.
func (m *Machine) PollEvents(dst []Event) []Event {
	for len(dst) < cap(dst) && m.events.len() > 0 {
		dst = dst[:len(dst)+1]
		if !m.nextEvent(&dst[len(dst)-1]) {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

// nextEvent takes the oldest event from the queue. It says false when that is nothing
// any more.
func (m *Machine) nextEvent(e *Event) bool {
	next := m.events.queue.Pop()
	if next.whole {
		*e = m.events.whole.Pop()
		m.tag(e)
		return true
	}
	_, s, ok := m.streamOf(next.stream)
	if !ok {
		return false // settled when the stream was let go
	}
	c := m.conns.At(s.conn)
	*e = Event{Kind: next.kind, Conn: m.connHandle(c), Stream: next.stream, User: c.user}
	if s.flags.has(streamTagged) {
		if user := m.coldStreamOf(s).user; user != 0 {
			e.User = user
		}
	}
	switch next.kind {
	case EventMoneyReceived:
		e.Amount, e.Packets = s.moneyIn, s.packetsIn
		s.moneyIn, s.packetsIn = 0, 0
	case EventMoneySent:
		e.Amount, e.Packets = s.moneyOut, s.packetsOut
		s.moneyOut, s.packetsOut = 0, 0
	case EventReadable:
		s.flags &^= streamReadEvent
	case EventReceiveLimit:
		s.flags &^= streamLimitEvent
	}
	return true
}

// tag has an event carry its stream's own number as it is now, or the connection's, if it
// has none.
func (m *Machine) tag(e *Event) {
	if _, s, l, ok := m.lookAtStream(e.Stream); ok {
		own := m.coldStreamOf(s).user
		m.lay(l)
		if own != 0 {
			e.User = own
			return
		}
	}
	if e.User != 0 {
		return
	}
	if c, l, ok := m.lookAtConn(e.Conn); ok {
		e.User = c.user
		m.lay(l)
	}
}

func (m *Machine) connEvent(kind EventKind, c *conn) {
	m.events.push(Event{Kind: kind, Conn: m.connHandle(c), User: c.user})
}

func (m *Machine) streamEvent(kind EventKind, s *streamRec) {
	cold := m.coldStreamOf(s)
	m.events.push(Event{
		Kind: kind, Code: cold.code, User: cold.user, Remote: s.flags.has(streamRemoteClosed),
		Conn: m.connHandle(m.conns.At(s.conn)), Stream: m.streamHandle(s),
	})
}

// briefEvent queues an event whose content the stream adds up until it is polled.
func (m *Machine) briefEvent(kind EventKind, s *streamRec) {
	m.events.queue.Push(queued{kind: kind, stream: m.streamHandle(s)})
}

func (m *Machine) moneyReceived(s *streamRec, o *connOptions, amount Amount) {
	m.plant.event(&amount)
	if o.NoMoneyEvents {
		return
	}
	if s.packetsIn == 0 {
		m.briefEvent(EventMoneyReceived, s)
	}
	s.moneyIn = satAdd(s.moneyIn, amount)
	s.packetsIn++
}

func (m *Machine) moneySent(s *streamRec, o *connOptions, amount Amount) {
	if o.NoMoneyEvents {
		return
	}
	if s.packetsOut == 0 {
		m.briefEvent(EventMoneySent, s)
	}
	s.moneyOut = satAdd(s.moneyOut, amount)
	s.packetsOut++
}

func (m *Machine) readable(s *streamRec) {
	if !s.flags.has(streamReadEvent) {
		s.flags |= streamReadEvent
		m.briefEvent(EventReadable, s)
	}
}

// limitEvent tells of a receive maximum of the peer's, once until it is polled.
func (m *Machine) limitEvent(s *streamRec) {
	if !s.flags.has(streamLimitEvent) {
		s.flags |= streamLimitEvent
		m.briefEvent(EventReceiveLimit, s)
	}
}
