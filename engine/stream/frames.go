package stream

import (
	"bytes"

	"github.com/millrace-ilp/millrace/codec/frame"
)

// heard notes the first authentic packet of the peer's: what we repeated until
// then has arrived, or the peer would not know the connection.
func (m *Machine) heard(i uint32, c *conn) {
	if c.flags.has(flagHeard) {
		return
	}
	c.flags |= flagHeard
	c.flags &^= flagTellAddress
}

// openStreams opens the streams that a packet names for the first time. It
// says false when one of them may not be: then no frame is applied.
func (m *Machine) openStreams(i uint32, c *conn, packet frame.Packet, r *reply) bool {
	for it := packet.Frames(); it.Next(); {
		var id uint64
		carries := false // money or data, which a closed stream refuses
		switch it.Type() {
		case frame.TypeStreamMoney:
			f, _ := frame.ParseStreamMoney(it.Body())
			id, carries = f.StreamID, true
		case frame.TypeStreamData:
			f, _ := frame.ParseStreamData(it.Body())
			id, carries = f.StreamID, true
		case frame.TypeStreamMaxMoney:
			f, _ := frame.ParseStreamMaxMoney(it.Body())
			id = f.StreamID
		case frame.TypeStreamMaxData:
			f, _ := frame.ParseStreamMaxData(it.Body())
			id = f.StreamID
		default:
			continue
		}
		if s := m.findStream(i, c, id); s != 0 {
			if carries && m.streams.At(s).flags.has(streamClosed|streamRemoteClosed) {
				r.closedStream(id)
				return false
			}
			continue
		}
		if id == 0 {
			m.failConn(i, c, frame.ProtocolViolation, "stream 0 does not exist")
			return false
		}
		ours := (id%2 == 1) == c.flags.has(flagClient)
		cold := m.coldOf(c)
		switch {
		case ours && (id >= uint64(c.nextStreamID) || !cold.localClosed.has(ordinal(id), cold.farLocal)):
			// Only we open ids of our parity.
			m.failConn(i, c, frame.ProtocolViolation, "stream id of the wrong side")
			return false
		case ours, cold.remoteClosed.has(ordinal(id), cold.farRemote):
			if carries {
				r.closedStream(id)
				return false
			}
			continue
		case id > cold.maxStreamIDLocal:
			m.failConn(i, c, frame.StreamIDError, "stream id above the limit")
			return false
		case c.flags.has(flagEnding):
			if carries {
				r.closedStream(id)
				return false
			}
			continue
		}
		rec, ok := m.newStream(i, c, uint32(id))
		if !ok {
			m.failConn(i, c, frame.EndpointBusy, "too many streams")
			return false
		}
		rec.receiveMax = m.optionsOf(c).ReceiveMax
		rec.flags |= streamTellMaxMoney | streamTellMaxData
		c.flags |= flagDirtyStreams
		m.streamEvent(EventStreamOpened, rec)
		// The reference repeats its limit once three quarters of it are in use.
		if id*4 > cold.maxStreamIDLocal*3 {
			c.flags |= flagTellLimit
		}
	}
	return true
}

// applyFrames applies every control and data frame and collects the shares of
// the money. It says false when the packet must be refused: the connection has
// failed, or it names more streams than one packet may.
func (m *Machine) applyFrames(i uint32, c *conn, packet frame.Packet, r *reply) ([]part, bool) {
	parts := m.scratch.parts[:0]
	ok := true
	for it := packet.Frames(); it.Next(); {
		if it.Type() == frame.TypeStreamMoney {
			f, _ := frame.ParseStreamMoney(it.Body())
			s := m.findStream(i, c, f.StreamID)
			if s == 0 || len(parts) == maxParts {
				ok = false
				continue
			}
			parts = append(parts, part{stream: s, shares: f.Shares})
			continue
		}
		if !m.applyFrame(i, c, it.Type(), it.Body(), r) {
			ok = false
		}
	}
	return parts, ok && !c.flags.has(flagClosed)
}

// applyFrame applies one frame of an authentic packet; r is the answer to be
// given when it came in a prepare, nil when it came in a reply. It says false
// when the packet that carries it must be refused.
func (m *Machine) applyFrame(i uint32, c *conn, t frame.Type, body []byte, r *reply) bool {
	switch t {
	case frame.TypeConnectionClose:
		f, _ := frame.ParseConnectionClose(body)
		m.remoteClose(i, c, f)
	case frame.TypeConnectionNewAddress:
		if r != nil {
			f, _ := frame.ParseConnectionNewAddress(body)
			m.peerAddress(i, c, f.Address)
		}
	case frame.TypeConnectionMaxData:
		f, _ := frame.ParseConnectionMaxData(body)
		if f.MaxOffset > c.maxDataRemote {
			c.maxDataRemote = f.MaxOffset
			c.flags &^= flagTellBlocked | flagToldBlocked
		}
	case frame.TypeConnectionMaxStreamID:
		f, _ := frame.ParseConnectionMaxStreamID(body)
		before := m.coldOf(c).maxStreamIDRemote
		if f.MaxStreamID > before {
			c.flags &^= flagTellIDBlocked | flagToldIDBlocked
		}
		if f.MaxStreamID != before {
			m.ownCold(c).maxStreamIDRemote = f.MaxStreamID
		}
	case frame.TypeConnectionAssetDetails:
		f, _ := frame.ParseConnectionAssetDetails(body)
		return m.assetDetails(i, c, f)
	case frame.TypeStreamClose:
		f, _ := frame.ParseStreamClose(body)
		if s := m.findStream(i, c, f.StreamID); s != 0 {
			m.remoteStreamClose(s, f)
		}
	case frame.TypeStreamMaxMoney:
		f, _ := frame.ParseStreamMaxMoney(body)
		if s := m.findStream(i, c, f.StreamID); s != 0 {
			m.remoteMaxMoney(s, f)
		}
	case frame.TypeStreamMaxData:
		f, _ := frame.ParseStreamMaxData(body)
		if s := m.findStream(i, c, f.StreamID); s != 0 {
			m.raiseWindow(m.streams.At(s), f.MaxOffset)
		}
	case frame.TypeStreamReceipt:
		if r == nil {
			f, _ := frame.ParseStreamReceipt(body)
			if s := m.findStream(i, c, f.StreamID); s != 0 {
				m.takeReceipt(m.streams.At(s), f.Receipt)
			}
		}
	case frame.TypeStreamData:
		if r != nil {
			f, _ := frame.ParseStreamData(body)
			if s := m.findStream(i, c, f.StreamID); s != 0 {
				return m.takeData(i, c, s, f, r)
			}
		}
	default:
		if r != nil {
			m.peerBlocked(i, c, t, body)
		}
	}
	return true
}

// assetDetails keeps the first asset it is told; a contradiction closes the
// connection (IL-RFC 0029 §4.3.3).
func (m *Machine) assetDetails(i uint32, c *conn, f frame.ConnectionAssetDetails) bool {
	asset := m.assets.at(c.asset)
	if asset == nil {
		c.asset = m.assets.use(f.AssetCode, f.Scale)
		return true
	}
	if !bytes.Equal(asset.code, f.AssetCode) || asset.name.scale != f.Scale {
		m.failConn(i, c, frame.ProtocolViolation, "asset details changed")
		return false
	}
	return true
}

// remoteMaxMoney takes the peer's receive maximum. Both figures only rise:
// what comes late is stale.
func (m *Machine) remoteMaxMoney(i uint32, f frame.StreamMaxMoney) {
	s := m.streams.At(i)
	if !s.flags.has(streamRemoteLimit) {
		s.flags = s.flags&^streamToldBlocked | streamRemoteLimit
		s.remoteMax = f.ReceiveMax
		m.limitEvent(s)
	} else if f.ReceiveMax > s.remoteMax {
		s.flags &^= streamToldBlocked
		s.remoteMax = f.ReceiveMax
		m.limitEvent(s)
	}
	s.remoteReceived = max(s.remoteReceived, f.TotalReceived)
	if m.fresh && (f.TotalReceived > 0 || s.delivered == 0) { // some receivers always say zero
		s.flags |= streamTotalHeard
	}
	m.noteMoneyBlocked(s)
}
