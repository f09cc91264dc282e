package stream

import (
	"bytes"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// A connection may move: its peer tells a new address, or our own changes
// (IL-RFC 0029 §4.3.2). A peer's new address is tried first, with a packet that
// nobody can fulfill; it is used once somebody there has answered who knows the
// shared secret.

// peerAddress learns where the peer can be reached. An empty address says that
// it only sends; it is answered like any other, with our limits and asset.
func (m *Machine) peerAddress(i uint32, c *conn, address []byte) {
	c.flags |= flagTellLimit | flagTellAsset
	if len(address) == 0 || ilp.CheckAddress(address) != nil {
		return
	}
	switch {
	case bytes.Equal(m.peerOf(c), address):
		if c.cold != 0 {
			m.ownCold(c).candidate = nil
		}
		c.flags &^= flagTestAddress
	case !c.flags.has(flagPeerAddress):
		// The first one needs no trial of its own: money follows only when
		// packets there have told the rate.
		m.setPeer(c, address)
		c.flags |= flagPeerAddress
		m.connEvent(EventPeerAddress, c)
	case !bytes.Equal(m.coldOf(c).candidate, address):
		m.ownCold(c).candidate = bytes.Clone(address)
		c.flags |= flagTestAddress
	}
}

func (m *Machine) setPeer(c *conn, address []byte) {
	local := m.localOf(c)
	head, rest := m.localRest(c)
	m.setNames(c, address, local, len(local)-len(rest)+head.token(), m.tagOf(c))
}

// composeTest writes the packet that tries a new address.
func (m *Machine) composeTest(b []byte, c *conn, s *slot) []byte {
	s.flags |= slotTest
	c.flags &^= flagTestAddress
	m.ownCold(c).trial = s.sequence
	b, countAt := frame.AppendHeader(b, ilp.TypePrepare, s.sequence, 0)
	frame.SetCount(b, countAt, 0)
	return b
}

// tryAgain has an address tried again whose trial was not written, or went down
// with its link.
func (m *Machine) tryAgain(s *slot, c *conn) {
	if cold := m.coldOf(c); cold.candidate != nil && cold.trial == s.sequence {
		c.flags |= flagTestAddress
	}
}

// addressTested takes the answer to the packet of that sequence, which tried one.
func (m *Machine) addressTested(i uint32, c *conn, sequence Sequence, authentic bool) {
	cold := m.coldOf(c)
	if c.flags.has(flagTestAddress) || cold.candidate == nil || cold.trial != sequence {
		return // there is a newer one, or none any more
	}
	cold = m.ownCold(c)
	if authentic || m.plant.untried() {
		m.setPeer(c, cold.candidate)
		cold.moved = m.now
		m.arrives(c, true) // what was refused at the other address
		m.connEvent(EventPeerAddress, c)
	}
	cold.candidate = nil
}

// moving says whether a packet may have gone to an address that the peer has left: a
// new one is on trial, or was not long ago.
func (m *Machine) moving(c *conn) bool {
	cold := m.coldOf(c)
	return cold.candidate != nil || cold.moved != 0 && m.now-cold.moved < unreachableFor
}

// setAddress sets our address on a link, and moves its connections.
func (m *Machine) setAddress(index uint32, l *link, address []byte) {
	if bytes.Equal(l.address, address) {
		return
	}
	l.former, l.address = l.address, bytes.Clone(address)
	if len(l.former) > 0 {
		m.move(index, l.address)
	}
}

// move gives our end of a link's connections new addresses. Only clients'
// addresses are ours to choose: a server is known by its credentials.
func (m *Machine) move(index uint32, address []byte) {
	concerned := func(b belongs) bool {
		return b.link == index && b.flags.has(flagClient) && !b.flags.has(flagClosed|flagEnding)
	}
	for i, c := range m.walk(true, concerned) {
		local := m.localOf(c)
		segment := local[bytes.LastIndexByte(local, '.'):]
		if len(address)+len(segment) > ilp.MaxAddress {
			continue
		}
		m.setNames(c, m.peerOf(c), append(bytes.Clone(address), segment...), len(address)+1, m.tagOf(c))
		if !m.optionsOf(c).HideAddress {
			c.flags |= flagTellAddress | flagUrgent
			m.wakeConn(i, c)
		}
	}
}
