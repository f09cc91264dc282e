package stream

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// firstVolley is what the reference library probes with.
var firstVolley = [...]Amount{1, 1e3, 1e6, 1e9, 1e12}

const (
	maxVolleys = 15
	maxProbes  = 8
	probePause = 100e6 // before a volley after temporary errors; grows by half
)

// probe finds the exchange rate by packets that cannot be fulfilled: the
// receiver tells in its reject what arrived (IL-RFC 0029 §6.1).
type probe struct {
	amounts   [maxProbes]Amount // of the present volley, still to be sent
	n         uint8
	pending   uint8 // sent and not answered
	volleys   uint8
	temporary bool
	best      rate
	digits    int
	next      [maxProbes]Amount // amounts that F08s of this volley tell
	nNext     uint8
	smallest  Amount // the least amount that got no useful answer
	notBefore Instant
	pause     int64
	final     ilp.Code // a final refusal, when every packet got one
}

// startProbe begins to look for the rate.
func (m *Machine) startProbe(i uint32, c *conn) {
	c.flags |= flagProbing
	if c.probe == 0 {
		var ok bool
		c.probe, _, ok = m.probes.Alloc()
		invariant(ok, "more probes than connections")
	}
	p := m.probes.At(c.probe)
	*p = probe{pause: probePause}
	for _, a := range firstVolley {
		p.add(min(a, m.optionsOf(c).MaxPacketAmount))
	}
	m.wakeConn(i, c)
}

// add puts an amount into the volley unless it is there.
func (p *probe) add(a Amount) {
	for _, x := range p.amounts[:p.n] {
		if x == a {
			return
		}
	}
	if a > 0 && p.n < maxProbes {
		p.amounts[p.n] = a
		p.n++
	}
}

func (p *probe) addNext(a Amount) {
	for _, x := range p.next[:p.nNext] {
		if x == a {
			return
		}
	}
	if a > 0 && p.nNext < maxProbes {
		p.next[p.nNext] = a
		p.nNext++
	}
}

// probeAnswered takes the answer to one packet of a volley.
func (m *Machine) probeAnswered(i uint32, c *conn, amount Amount, w *work, packet *frame.Packet, authentic bool, code ilp.Code) {
	if c.probe == 0 {
		return
	}
	p := m.probes.At(c.probe)
	if p.pending == 0 {
		return
	}
	p.pending--
	switch {
	case authentic:
		digits := decimalDigits(packet.PrepareAmount)
		if packet.PrepareAmount > 0 && (digits > p.digits || digits == p.digits && uint64(amount) > p.best.den) {
			p.best, p.digits = rate{uint64(packet.PrepareAmount), uint64(amount)}, digits
		}
	case code == ilp.F08:
		p.noteRefused(amount)
		if limit, ok := tooLargeMax(amount, w.reply.Data()); ok {
			if c.size.limit == maxAmount || limit < c.size.limit {
				c.size.limit = limit
				c.size.test = c.size.ceiling(m.optionsOf(c).MaxPacketAmount)
			}
			if limit == 0 {
				p.final = code
			}
			p.addNext(min(limit, m.optionsOf(c).MaxPacketAmount))
		} else if half := amount / 2; half > 0 {
			p.addNext(half)
		}
	case code.Class() == 'T' || code.Class() == 'R' || code == ilp.F02 && m.moving(c):
		p.noteRefused(amount)
		p.temporary = true
	default:
		p.noteRefused(amount)
		p.final = code
	}
	if p.pending == 0 && p.n == 0 && !c.flags.has(flagClosed|flagEnding|flagReady) {
		m.volleyDone(i, c)
	}
}

func (p *probe) noteRefused(amount Amount) {
	if p.smallest == 0 || amount < p.smallest {
		p.smallest = amount
	}
}

// volleyDone picks the rate, or the next volley.
func (m *Machine) volleyDone(i uint32, c *conn) {
	p := m.probes.At(c.probe)
	p.volleys++
	if p.best.known() && p.digits >= m.optionsOf(c).MinRatePrecision {
		m.rateFound(i, c)
		return
	}
	amounts, n := p.next, p.nNext
	p.n, p.nNext = 0, 0
	for _, a := range amounts[:n] {
		p.add(a)
	}
	if p.temporary && p.smallest > 0 {
		p.add(max(p.smallest-p.smallest/3, 1))
		if n == 0 && !p.best.known() {
			// Nothing at all got through: that tells of an outage, not of amounts.
			for _, a := range firstVolley {
				p.add(min(a, m.optionsOf(c).MaxPacketAmount))
			}
		}
		p.notBefore = m.now + Instant(p.pause)
		p.pause += p.pause / 2
	}
	p.temporary, p.smallest = false, 0
	if p.n == 0 || p.volleys >= maxVolleys {
		if p.best.known() && p.digits > 0 && c.size.ceiling(m.optionsOf(c).MaxPacketAmount) < 1000 {
			// The path's packets are too small to tell more.
			m.rateFound(i, c)
			return
		}
		if p.final == ilp.F02 {
			m.giveUp(i, c, p.final)
			return
		}
		m.failConn(i, c, frame.InternalError, "no packet told the exchange rate precisely enough")
		return
	}
	m.armConn(i, c)
	m.wakeConn(i, c)
}

func (m *Machine) rateFound(i uint32, c *conn) {
	m.setRate(c, m.probes.At(c.probe).best)
	m.freeProbe(c)
	c.flags = c.flags&^flagProbing | flagReady
	m.connEvent(EventConnected, c)
	m.armConn(i, c)
	m.wakeConn(i, c)
}

// setRate sets the exchange rate of a connection.
func (m *Machine) setRate(c *conn, r rate) {
	c.rate = r
	for k := c.firstStream; k != 0; k = m.streams.At(k).next {
		m.noteStuck(k, m.streams.At(k), c)
	}
}

// noteStuck tells once that a stream is left with less than anything arrives of,
// or that no packet may be large enough.
func (m *Machine) noteStuck(k uint32, s *streamRec, c *conn) {
	if s.heldOut > 0 || s.flags.has(streamStuck|streamClosed) || c.rate.den == 0 {
		return
	}
	o, least := m.optionsOf(c), c.leastSource()
	most := min(o.MaxInFlightAmount, c.size.ceiling(o.MaxPacketAmount))
	if left := m.unsent(c, s); left > 0 && min(left, most) < least {
		s.flags |= streamStuck
		m.streamEvent(EventUndeliverable, s)
		m.events.last().Amount = least
	}
}

// probeLost takes a probe whose link was lost: the volley starts anew.
func (m *Machine) probeLost(i uint32, c *conn) {
	if !c.flags.has(flagProbing) {
		return
	}
	if p := m.probes.At(c.probe); p.pending > 0 {
		if p.pending--; p.pending == 0 {
			m.startProbe(i, c)
		}
	}
}

// freeProbe gives back what looked for the rate.
func (m *Machine) freeProbe(c *conn) {
	if c.probe != 0 {
		m.probes.Free(c.probe)
		c.probe = 0
	}
}

func decimalDigits(a Amount) int {
	n := 0
	for ; a > 0; a /= 10 {
		n++
	}
	return n
}
