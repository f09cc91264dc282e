package stream

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
