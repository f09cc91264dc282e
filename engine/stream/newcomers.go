package stream

import "github.com/millrace-ilp/millrace/codec/ilp"

// A token that is good and belongs to no connection costs a server its opening and an
// HMAC for the shared secret, before it knows whether the packet is genuine. Whoever
// holds credentials that were never used could have it paid again and again, so the
// last secrets are remembered: with them a forged packet costs about as much as an
// honest one. What a token says beside is read again when its connection opens, which
// keeps its secret itself from then on.

// remembered is how many secrets, by the hash of the token: a place is the next
// one's that comes to it.
const remembered = 2048

type knownSecret struct {
	token  uint64
	server uint32
	secret [32]byte
}

// remember gives a newcomer the secret of its token, if that is known.
func (m *Machine) remember(n *newcomer) bool {
	if m.secrets == nil {
		return false
	}
	k := &m.secrets[n.token%remembered]
	if k.token != n.token || k.server != n.server {
		return false
	}
	n.opened = opened{secret: k.secret}
	return true
}

// note remembers the secret of a newcomer.
func (m *Machine) note(n *newcomer) {
	if m.secrets == nil {
		m.secrets = new([remembered]knownSecret)
	}
	m.secrets[n.token%remembered] = knownSecret{n.token, n.server, n.opened.secret}
}

// forget wipes the secret of a newcomer, which its connection has now.
func (m *Machine) forget(n *newcomer) {
	n.opened.secret = [32]byte{}
	if k := &m.secrets[n.token%remembered]; k.token == n.token {
		*k = knownSecret{}
	}
}

// What a forged packet costs more than an honest one is paid for some of them only: a
// link whose packets have failed to authenticate so often, in so short a time, is not
// believed any more that they open connections. What is left is what any packet costs,
// so that a flood gets of the loop what an honest link with as many packets would.

// forgedNs is how long a link pays for as many forged packets as it may have at once.
// It pays evenly: whoever forges no more than that shuts a link for an instant only, in
// bursts or not.
const forgedNs = 100e6

// floods says that a link has used up its forged packets. It only ever becomes true
// while the time stands still, and so of a vector that was looked up before.
func (m *Machine) floods(l *link) bool {
	owed := l.forgedUntil - m.now
	return m.cfg.MaxForged >= 0 && owed > forgedNs-m.forgedPrice() && owed <= 2*forgedNs // else the clock was set back
}

// forgedPrice is the time that one forged packet costs its link.
func (m *Machine) forgedPrice() Instant { return max(forgedNs/Instant(max(m.cfg.MaxForged, 1)), 1) }

// answerRefused answers a packet that was refused when it was looked up, unless that
// is done elsewhere.
func (m *Machine) answerRefused(e *Entry, w *work, out Output) {
	switch {
	case w.code == ilp.T05 || w.forged && m.floods(m.linkOf(e.Link)):
		m.throttle(e, out)
		return
	case w.forged:
		m.noteForged(m.linkOf(e.Link))
	}
	if w.code != (ilp.Code{}) {
		m.reject(e, w.code, out)
	}
}

// throttle answers a packet of a link that floods.
func (m *Machine) throttle(e *Entry, out Output) {
	m.stats.Throttled++
	m.reject(e, ilp.T05, out)
}

// noteForged counts a packet for no connection that did not authenticate.
func (m *Machine) noteForged(l *link) {
	m.stats.Forged++
	m.pay(l)
}

// pay has a link pay for a packet that has cost the opening of a token and came to
// nothing.
func (m *Machine) pay(l *link) {
	if l.forgedUntil < m.now || l.forgedUntil > m.now+2*forgedNs {
		l.forgedUntil = m.now
	}
	l.forgedUntil += m.forgedPrice()
}
