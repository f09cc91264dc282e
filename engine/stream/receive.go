package stream

import (
	"bytes"
	"math"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// decidePrepare is the one place where an incoming prepare changes state. The
// order of the checks is the reference's (IL-RFC 0029 §5.3), with expiry and
// replay, which it does not check, put before any frame.
func (m *Machine) decidePrepare(e *Entry, w *work, op *aesni.Op, out Output) {
	if w.refuse {
		m.answerRefused(e, w, out)
		return
	}
	if w.token == 0 && w.conn == 0 && w.scratch < 0 {
		m.answerPeerProtocol(e, w.packet, out)
		return
	}
	known := w.conn
	if known == 0 {
		// A packet of this vector may have opened the connection meanwhile.
		// The table says so, and not the newcomer: two servers may know the same token.
		if v := m.tokens.Get(w.token); v&graveBit == 0 {
			known = v
		}
	}
	if known != 0 && known&sleepBit == 0 && m.conns.At(known).flags.has(flagClosed) {
		m.reject(e, ilp.F02, out) // it has ended in this vector: F02 whatever it is, as ever after
		return
	}
	if known == 0 && m.floods(m.linkOf(e.Link)) {
		m.throttle(e, out)
		return
	}
	if !op.OK {
		code := ilp.F06
		if known != 0 {
			m.stats.Forged++
		} else {
			m.noteForged(m.linkOf(e.Link))
			code = ilp.F02
		}
		m.plant.forged(m, known)
		m.reject(e, code, out)
		return
	}
	packet, err := frame.Parse(op.Text)
	if err != nil || packet.PacketType != ilp.TypePrepare {
		m.turnAway(e, known, ilp.F06, out)
		return
	}
	if int64(m.now) >= expiryNs(w.packet)-m.cfg.FulfillMargin {
		m.stats.Expired++
		m.turnAway(e, known, ilp.R00, out)
		return
	}
	if known&sleepBit != 0 {
		known, _ = m.unfold(known &^ sleepBit)
	}
	if out.Room(e.Link) < m.replyText(known, w)+replyOverhead {
		m.turnAway(e, known, ilp.T03, out)
		return
	}
	end := uint32(serverEnd)
	if known != 0 {
		end = m.conns.At(known).end()
	}
	if m.own(end, op) {
		m.stats.Reflected++
		m.turnAway(e, known, ilp.F06, out)
		return
	}
	if known == 0 {
		if known = m.admit(e, w, out); known == 0 {
			return
		}
	}
	c := m.conns.At(known)
	if m.links.At(c.link).account != m.linkOf(e.Link).account {
		m.reject(e, ilp.F02, out)
		return
	}
	if c.flags.has(flagAsleep) {
		m.awaken(known, c, w.scratch)
	}
	m.receive(e, w, op, known, c, packet, out)
}

// turnAway rejects a genuine packet. One that would have opened a connection is paid for
// like those that are not.
func (m *Machine) turnAway(e *Entry, known uint32, code ilp.Code, out Output) {
	if known == 0 {
		m.pay(m.linkOf(e.Link))
	}
	m.reject(e, code, out)
}

// admit makes the connection of a newcomer whose packet has authenticated.
func (m *Machine) admit(e *Entry, w *work, out Output) uint32 {
	n := &m.scratch.newcomers[w.scratch]
	s := &m.servers[n.server&^provedBit]
	if n.remembered {
		var ok bool
		n.opened, ok = s.tokens.open(w.segment, &n.memory)
		if n.remembered = !ok; !ok {
			m.turnAway(e, 0, ilp.F02, out) // another token of the same hash
			return 0
		}
	}
	if s.closed {
		m.turnAway(e, 0, ilp.T99, out)
		return 0
	}
	if d := m.cfg.Directory; d != nil {
		if home := d.Claim(w.token, m.cfg.Shard); home != m.cfg.Shard {
			out.Forward(home, *e)
			return 0
		}
	}
	i, c, ok := uint32(0), (*conn)(nil), false
	if !m.crowded() && (m.graves.Len() < m.cfg.MaxTombstones || m.oldGrave()) {
		i, c, ok = m.newConn(w.token, m.linkIndex(e.Link), s.options)
	}
	if !ok {
		if m.cfg.Directory != nil {
			m.cfg.Directory.Release(w.token)
		}
		m.turnAway(e, 0, ilp.T03, out)
		return 0
	}
	c.flags = flagHeard | flagTellMaxData | flagTellLimit
	c.server = n.server &^ provedBit
	if s.decide {
		c.flags |= flagDecide
	}
	c.secret = n.opened.secret
	m.forget(n)
	c.user = s.user
	c.nextStreamID = 2
	if len(n.opened.receiptNonce) == 16 && len(n.opened.receiptSecret) == 32 {
		m.ownCold(c).receipts = &receiptKeys{[16]byte(n.opened.receiptNonce), [32]byte(n.opened.receiptSecret)}
		c.flags |= flagReceipts
	}
	m.setNames(c, nil, w.packet.Destination(), int(w.tokenAt), n.opened.tag)
	m.setExpiry(c, s.expiry)
	m.keys.Move(keySlot(i), scratchKey(int(w.scratch)))
	invariant(m.tokenOf(c) == w.token, "a connection has the name of another token")
	m.enter(i, w.token)
	m.armConn(i, c)
	m.connEvent(EventAccepted, c)
	return i
}

// receive applies an authentic, timely packet of a live connection.
func (m *Machine) receive(e *Entry, w *work, op *aesni.Op, i uint32, c *conn, packet frame.Packet, out Output) {
	r := reply{entry: e, conn: i, sequence: packet.Sequence, amount: w.packet.Amount()}
	if packet.Sequence >= maxSequence {
		m.failConn(i, c, frame.ProtocolViolation, "too many packets")
		m.replyReject(&r, out)
		return
	}
	far := m.coldOf(c).replay
	tooLate := c.replay.tooLate(packet.Sequence, &far)
	fresh := c.replay.accept(packet.Sequence, &far)
	if far.words != nil {
		m.ownCold(c).replay = far
	}
	m.plant.replayed(&fresh, packet.Sequence, c.replay.top)
	if !fresh {
		m.stats.Replayed++
		m.plant.answerTwice(m, e, out)
		if tooLate {
			// It may be new: without a STREAM packet, so that the sender takes
			// nothing of it for done.
			m.reject(e, ilp.T00, out)
			return
		}
		m.replyReject(&r, out)
		return
	}
	c.lastActive = m.now
	if !m.links.At(c.link).up && !m.linkOf(e.Link).proxy {
		// The same account over another link. In the old one's ring it is passed
		// over.
		c.link = m.linkIndex(e.Link)
		c.flags &^= flagQueued
	}
	m.heard(i, c)
	if !m.openStreams(i, c, packet, &r) {
		m.replyReject(&r, out)
		return
	}
	parts, ok := m.applyFrames(i, c, packet, &r)
	switch {
	case r.busy:
		// Without a STREAM packet, so that the peer sends its data again.
		m.reject(e, ilp.T03, out)
	case !ok,
		w.packet.Amount() < m.plant.required(packet.PrepareAmount),
		!aesni.Equal32(&op.Condition, (*[32]byte)(w.packet.Condition())),
		!m.acceptMoney(i, c, w.packet.Amount(), parts, &r):
		m.replyReject(&r, out)
	default:
		r.fulfillment, r.parts = &op.Fulfillment, parts
		m.settle(e, w, i, c, &r, out)
	}
	m.wakeConn(i, c)
}

// expiryNs is a prepare's expiry in nanoseconds, as far as they count.
func expiryNs(p ilp.Prepare) int64 {
	return min(p.ExpiryUnixMs(), math.MaxInt64/1_000_000) * 1_000_000
}

// acceptMoney divides an amount over its streams and says whether all of them
// can take their part. It changes no total.
func (m *Machine) acceptMoney(i uint32, c *conn, amount Amount, parts []part, r *reply) bool {
	if amount == 0 {
		return true
	}
	if len(parts) == 0 || !m.divide(amount, parts) {
		return false
	}
	if _, ok := addAmount(satAdd(c.totalReceived, c.heldIn), amount); !ok {
		return false // a total would pass 2^64-1
	}
	ok := true
	for k := range parts {
		s := m.streams.At(parts[k].stream)
		if parts[k].amount > m.receivable(s, pending(parts[:k], parts[k].stream)) {
			ok = false
			s.flags |= streamTellMaxMoney
			if s.flags.has(streamClosed | streamRemoteClosed) {
				r.closedStream(uint64(s.id))
			}
		}
	}
	if !ok {
		c.flags |= flagDirtyStreams
	}
	return ok
}

// pending is what parts pay to a stream.
func pending(parts []part, stream uint32) (sum Amount) {
	for k := range parts {
		if parts[k].stream == stream {
			sum = satAdd(sum, parts[k].amount)
		}
	}
	return sum
}

// answerPeerProtocol serves echo requests, and peer.* packets: we answer
// peer.config when we are the parent of the link (ILDCP, IL-RFC 0031) and never
// forward any.
func (m *Machine) answerPeerProtocol(e *Entry, p ilp.Prepare, out Output) {
	l := m.linkOf(e.Link)
	if l.isEcho(p) {
		m.answerEcho(e, p, out)
		return
	}
	if !bytes.Equal(p.Destination(), []byte(ildcp.Destination)) || len(l.child) == 0 {
		m.reject(e, ilp.F01, out)
		return
	}
	if err := ildcp.CheckRequest(p, m.now.unixMs()); err != nil {
		m.reject(e, ilp.F00, out)
		return
	}
	data := ildcp.AppendResponseData(nil, ildcp.Config{Address: l.child, AssetScale: l.scale, AssetCode: l.asset})
	if region := out.Reply(e.Link, e.Request, ilp.FulfillLen(len(data))); region != nil {
		fulfillment, place := ilp.PutFulfill(region, len(data))
		copy(fulfillment, ilp.PeerFulfillment[:])
		copy(place, data)
	}
}

func (m *Machine) linkIndex(h LinkHandle) uint32 { return uint32(h) }

// linkOf is the link of a handle that look-up has found live.
func (m *Machine) linkOf(h LinkHandle) *link { return m.links.At(uint32(h)) }
