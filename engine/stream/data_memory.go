package stream

import "github.com/millrace-ilp/millrace/pool/slab"

// The memory of all rings of a machine stays within Config.MaxBuffered, and that of what is
// to be sent within half of it: two machines whose memory was full of what each has for the
// other could take nothing in, for ever. Of that half no ring takes more than it leaves to
// others, or a peer that takes nothing would keep them from writing.
//
// A ring that holds little for its size is slack: it keeps its memory, for a stream in
// steady use fills it again at once, until another ring needs it or all slack together is
// more than a share of the bound. Then the ring that has been slack for longest gives back
// what it has no use for.

// The shares of Config.MaxBuffered that slack may be, and what is to be sent.
const (
	slackShare = 4
	outShare   = 2
)

// ringMemory is the account of a machine's rings.
type ringMemory struct {
	taken          int    // by all of them
	out            int    // of that, by those of what is to be sent
	slack          int    // of that, by those in the list
	oldest, newest uint32 // the list of slack rings, by their numbers
}

// held is what no other ring can have.
func (m *ringMemory) held() int { return m.taken - m.slack }

// The numbers of the two rings of a stream, by the index of its data.
func inRing(data uint32) uint32  { return data << 1 }
func outRing(data uint32) uint32 { return data<<1 | 1 }
func isOut(ring uint32) bool     { return ring&1 != 0 }

func (m *Machine) ring(i uint32) *ring {
	d := m.data.At(i >> 1)
	if isOut(i) {
		return &d.out
	}
	return &d.in
}

// roomIn is how many of n octets more a ring can hold. Slack makes room for them.
func (m *Machine) roomIn(i uint32, n int) int {
	r, most := m.ring(i), m.cfg.MaxBuffered
	size := ringSize(r.n + n)
	for size > len(r.buf) && (m.rings.taken-len(r.buf)+size > most || isOut(i) && m.rings.out-len(r.buf)+2*size > most/outShare) {
		own := len(r.buf)
		if r.slack {
			own = 0 // it is not held
		}
		if m.rings.held()-own+size <= most && m.reclaim() {
			continue
		}
		if size /= 2; size < leastRing { // there may be room for some of them
			size = 0
		}
	}
	return max(0, min(n, max(size, len(r.buf))-r.n))
}

// extendRing adds n octets of unknown content to a ring. There is room for them.
func (m *Machine) extendRing(i uint32, n int) {
	r := m.ring(i)
	m.firm(r)
	before := len(r.buf)
	r.extend(n)
	m.takes(i, len(r.buf)-before)
	m.slacken(i, r)
}

// drainRing drops n octets of a ring in front, and wakes those that wait for room.
func (m *Machine) drainRing(i uint32, n int) {
	r := m.ring(i)
	r.drop(n)
	if !r.slack {
		m.slacken(i, r)
		for m.rings.slack > m.cfg.MaxBuffered/slackShare && m.reclaim() {
		}
	}
	m.wakeWriters()
}

// tightenRing takes from a ring all the memory that it does not need.
func (m *Machine) tightenRing(i uint32) {
	r := m.ring(i)
	m.firm(r)
	before := len(r.buf)
	r.shrink()
	m.takes(i, len(r.buf)-before)
}

// takes accounts for so many octets more of a ring, or less.
func (m *Machine) takes(i uint32, n int) {
	m.rings.taken += n
	if isOut(i) {
		m.rings.out += n
	}
}

// freeRing takes everything from a ring.
func (m *Machine) freeRing(i uint32) {
	r := m.ring(i)
	r.drop(r.n)
	m.tightenRing(i)
}

// reclaim has the ring that has been slack for longest give back what it can.
func (m *Machine) reclaim() bool {
	i := m.rings.oldest
	if i != 0 {
		m.tightenRing(i)
	}
	return i != 0
}

// slacken lists a ring if it is slack now.
func (m *Machine) slacken(i uint32, r *ring) {
	if len(r.buf) == 0 || ringSize(r.n) > len(r.buf)/4 {
		return
	}
	l := &m.rings
	r.slack, r.older, r.newer = true, l.newest, 0
	if l.newest != 0 {
		m.ring(l.newest).newer = i
	} else {
		l.oldest = i
	}
	l.newest = i
	l.slack += len(r.buf)
}

// firm takes a ring off the list.
func (m *Machine) firm(r *ring) {
	if !r.slack {
		return
	}
	l := &m.rings
	if r.older != 0 {
		m.ring(r.older).newer = r.newer
	} else {
		l.oldest = r.newer
	}
	if r.newer != 0 {
		m.ring(r.newer).older = r.older
	} else {
		l.newest = r.older
	}
	r.slack, r.older, r.newer = false, 0, 0
	l.slack -= len(r.buf)
}

// wakeWriters wakes streams that wait for memory with nothing of their own on its way.
func (m *Machine) wakeWriters() {
	// More than slack alone may be, lest it keep them waiting; and of what is to be sent
	// little, for what others have there may stay.
	const some, little = 8, 32
	most := m.cfg.MaxBuffered
	if len(m.writers) == 0 || m.rings.held() > most-most/some || m.rings.out > most/outShare-most/little {
		return
	}
	for _, h := range m.writers {
		i, ok := m.streamPlaces.Get(slab.Handle(h))
		if !ok || i&foldedBit != 0 { // what is folded waits for nothing
			continue
		}
		if s := m.streams.At(i); s.flags.has(streamWriteWait) {
			s.flags &^= streamWriteWait
			m.streamEvent(EventWritable, s)
		}
	}
	m.writers = m.writers[:0]
}
