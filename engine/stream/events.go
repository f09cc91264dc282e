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

// queued is an event in 12 octets: of most, what a stream adds up says all.
type queued struct {
	kind       EventKind
	whole      bool
	stream     uint32
	generation uint32
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
		if s, ok := m.streams.Get(slab.Handle(e.Stream)); ok && m.coldStreamOf(s).user != 0 {
			e.User = m.coldStreamOf(s).user
		} else if c, ok := m.conns.Get(slab.Handle(e.Conn)); ok && e.User == 0 {
			e.User = c.user
		}
		return true
	}
	h := slab.MakeHandle(next.stream, next.generation)
	s, ok := m.streams.Get(h)
	if !ok {
		return false // settled when the stream was let go
	}
	*e = Event{Kind: next.kind, Conn: ConnHandle(m.conns.Handle(s.conn)), Stream: StreamHandle(h), User: m.conns.At(s.conn).user}
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

func (m *Machine) connEvent(kind EventKind, c uint32) {
	m.events.push(Event{Kind: kind, Conn: ConnHandle(m.conns.Handle(c)), User: m.conns.At(c).user})
}

func (m *Machine) streamEvent(kind EventKind, i uint32, s *streamRec) {
	cold := m.coldStreamOf(s)
	m.events.push(Event{
		Kind: kind, Code: cold.code, User: cold.user, Remote: s.flags.has(streamRemoteClosed),
		Conn: ConnHandle(m.conns.Handle(s.conn)), Stream: StreamHandle(m.streams.Handle(i)),
	})
}

// briefEvent queues an event whose content the stream adds up until it is polled.
func (m *Machine) briefEvent(kind EventKind, i uint32) {
	m.events.queue.Push(queued{kind: kind, stream: i, generation: m.streams.Generation(i)})
}

func (m *Machine) moneyReceived(i uint32, s *streamRec, o *connOptions, amount Amount) {
	m.plant.event(&amount)
	if o.NoMoneyEvents {
		return
	}
	if s.packetsIn == 0 {
		m.briefEvent(EventMoneyReceived, i)
	}
	s.moneyIn = satAdd(s.moneyIn, amount)
	s.packetsIn++
}

func (m *Machine) moneySent(i uint32, s *streamRec, o *connOptions, amount Amount) {
	if o.NoMoneyEvents {
		return
	}
	if s.packetsOut == 0 {
		m.briefEvent(EventMoneySent, i)
	}
	s.moneyOut = satAdd(s.moneyOut, amount)
	s.packetsOut++
}

func (m *Machine) readable(i uint32, s *streamRec) {
	if !s.flags.has(streamReadEvent) {
		s.flags |= streamReadEvent
		m.briefEvent(EventReadable, i)
	}
}

// limitEvent tells of a receive maximum of the peer's, once until it is polled.
func (m *Machine) limitEvent(i uint32, s *streamRec) {
	if !s.flags.has(streamLimitEvent) {
		s.flags |= streamLimitEvent
		m.briefEvent(EventReceiveLimit, i)
	}
}
