package stream

import (
	"errors"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// CommitSeq numbers staged records in order, from 1.
type CommitSeq uint64

// Credit is one record to make durable before its fulfill may leave.
type Credit struct {
	Seq  CommitSeq  // its place in the order of its shard since the start
	Void bool       // takes back an earlier credit of the same connection and sequence
	Conn ConnHandle // until the process ends
	// ConnID names the connection for good: it is derived from its shared secret,
	// and the same after a restart.
	ConnID   [16]byte
	Stream   StreamHandle // of the packet's first StreamMoney frame
	StreamID uint64       // its number in the connection
	Sequence Sequence     // of the packet
	Amount   Amount       // of the whole packet, in our units
	Expires  Instant      // when the sender's prepare expires
	Hold     HoldHandle   // zero for a Void
}

// Decision is the embedder's answer to a held packet.
type Decision uint8

const (
	// Accept stages the money for the ledger, or releases it when there is none.
	Accept Decision = iota + 1
	// Decline answers F99; the sender may try again.
	Decline
)

type holdState uint8

const (
	holdDeciding holdState = iota + 1
	holdStaged
	holdReady // decided and durable; the link had no room for the fulfill
)

// hold is an incoming packet whose fulfill waits.
type hold struct {
	fulfillment [32]byte
	conn        uint32
	link        LinkHandle
	request     uint32
	state       holdState
	durable     bool // the ledger has its credit
	nParts      uint8
	sequence    Sequence
	amount      Amount
	expiresNs   int64
	seq         CommitSeq
	stream      uint32 // the first part
	part        Amount
	more        uint32 // further parts, in Machine.parts
}

// commitQueue lists staged holds in order of their records.
type commitQueue struct {
	ring []stagedHold
	head int
	next CommitSeq
}

type stagedHold struct {
	seq  CommitSeq
	hold slab.Handle // zero for a void
}

// ErrDecided is returned for a hold that is decided already, or gone.
var ErrDecided = errors.New("stream: the hold is decided or gone")

// settle takes an acceptable packet: it is released at once, or held for the
// embedder and the ledger.
func (m *Machine) settle(e *Entry, w *work, i uint32, c *conn, r *reply, out Output) {
	if r.amount == 0 || !c.flags.has(flagDecide) && !m.cfg.Ledger || m.plant.early() {
		m.release(i, c, r, out)
		return
	}
	h, rec, ok := m.holds.Alloc()
	if !ok || !m.holdParts(rec, r.parts) {
		if ok {
			m.holds.Free(h)
		}
		m.reject(e, ilp.T03, out)
		return
	}
	rec.fulfillment = *r.fulfillment
	rec.conn, rec.link, rec.request = i, e.Link, e.Request
	rec.sequence, rec.amount, rec.expiresNs = r.sequence, r.amount, expiryNs(w.packet)
	mustAdd(&c.heldIn, r.amount)
	c.refs++
	m.connID(i) // while there is a secret
	for k := range r.parts {
		s := m.streams.At(r.parts[k].stream)
		mustAdd(&m.ownColdStream(s).heldIn, r.parts[k].amount)
		s.refs++
	}
	if !c.flags.has(flagDecide) {
		m.stage(h, rec)
		return
	}
	rec.state = holdDeciding
	m.holdTimers.Set(h, rec.expiresNs-m.cfg.FulfillMargin)
	s := m.streams.At(rec.stream)
	m.events.push(Event{
		Kind: EventHold, Hold: HoldHandle(m.holds.Handle(h)), Amount: rec.amount, User: m.coldStreamOf(s).user,
		Conn: m.connHandle(m.conns.At(i)), Stream: m.streamHandle(m.streams.At(rec.stream)), Packets: 1,
	})
}

// holdParts keeps the parts of a packet beyond the first in a list.
func (m *Machine) holdParts(h *hold, parts []part) bool {
	h.stream, h.part, h.nParts, h.more = parts[0].stream, parts[0].amount, uint8(len(parts)), 0
	for k := len(parts) - 1; k > 0; k-- {
		i, p, ok := m.parts.Alloc()
		if !ok {
			m.freeParts(h.more)
			return false
		}
		*p = morePart{stream: parts[k].stream, amount: parts[k].amount, next: h.more}
		h.more = i
	}
	return true
}

func (m *Machine) freeParts(i uint32) {
	for i != 0 {
		next := m.parts.At(i).next
		m.parts.Free(i)
		i = next
	}
}

// partsOf lists the parts of a hold in the vector's scratch.
func (m *Machine) partsOf(h *hold) []part {
	parts := append(m.scratch.parts[:0], part{stream: h.stream, amount: h.part})
	for i := h.more; i != 0; i = m.parts.At(i).next {
		p := m.parts.At(i)
		parts = append(parts, part{stream: p.stream, amount: p.amount})
	}
	return parts
}

func (m *Machine) stage(h uint32, rec *hold) {
	rec.state = holdStaged
	m.credits.next++
	rec.seq = m.credits.next
	s := m.streams.At(rec.stream)
	m.staged = append(m.staged, Credit{
		Seq: rec.seq, Conn: m.connHandle(m.conns.At(rec.conn)), ConnID: m.connID(rec.conn), Stream: m.streamHandle(m.streams.At(rec.stream)),
		StreamID: uint64(s.id), Sequence: rec.sequence, Amount: rec.amount, Expires: Instant(rec.expiresNs), Hold: HoldHandle(m.holds.Handle(h)),
	})
	m.credits.ring = append(m.credits.ring, stagedHold{rec.seq, m.holds.Handle(h)})
}

// connID names a connection for good, also once it is closed.
func (m *Machine) connID(i uint32) [16]byte {
	c := m.conns.At(i)
	cold := m.ownCold(c)
	cold.id = m.idOf(c)
	return cold.id
}

// idOf names a connection that is not closed.
func (m *Machine) idOf(c *conn) [16]byte {
	if id := m.coldOf(c).id; id != [16]byte{} {
		return id
	}
	var id [32]byte
	aesni.HMAC(&id, c.secret[:], []byte("millrace_connection_id"))
	return [16]byte(id[:])
}

// Staged returns the records that wait to be made durable, in order, and
// forgets them. The slice is the machine's own until the next call on it.
func (m *Machine) Staged() []Credit {
	s := m.staged
	m.staged = m.staged[:0]
	return s
}

// Committed tells that every record up to a number is durable. Their fulfills
// are released in order; one that comes too late is rejected with R00 and
// voided by a further record.
func (m *Machine) Committed(now Instant, upTo CommitSeq, out Output) {
	m.now = now
	m.beginAnswers()
	q := &m.credits
	for q.head < len(q.ring) && q.ring[q.head].seq <= upTo {
		next := q.ring[q.head]
		q.head++
		if next.hold != 0 {
			m.releaseHold(next.hold, true, out)
		}
	}
	if q.head > len(q.ring)/2 {
		q.ring, q.head = q.ring[:copy(q.ring, q.ring[q.head:])], 0
	}
	m.endAnswers()
}

// Decide answers a hold, in any order. Accept stages or releases it.
func (m *Machine) Decide(now Instant, h HoldHandle, d Decision, out Output) error {
	m.now = now
	rec, ok := m.holds.Get(slab.Handle(h))
	if !ok || rec.state != holdDeciding {
		return ErrDecided
	}
	i := slab.Handle(h).Index()
	m.holdTimers.Clear(i)
	switch {
	case d == Accept && m.cfg.Ledger:
		m.stage(i, rec)
	case d == Accept:
		m.beginAnswers()
		m.releaseHold(slab.Handle(h), false, out)
		m.endAnswers()
	default:
		m.beginAnswers()
		m.declineHold(i, rec, out)
		m.endAnswers()
	}
	return nil
}

// Refuse declines a hold for good: its streams are closed with ApplicationError
// and the message, which tells the sender not to try again.
func (m *Machine) Refuse(now Instant, h HoldHandle, message string, out Output) error {
	rec, ok := m.holds.Get(slab.Handle(h))
	if !ok || rec.state != holdDeciding {
		return ErrDecided
	}
	m.now = now
	for _, p := range m.partsOf(rec) {
		// One that is closed already says nothing more.
		_ = m.DestroyStream(now, m.streamHandle(m.streams.At(p.stream)), frame.ApplicationError, message)
	}
	return m.Decide(now, h, Decline, out)
}

// HoldInfo is what waits for a decision.
type HoldInfo struct {
	Conn     ConnHandle
	Stream   StreamHandle // of the packet's first StreamMoney frame
	StreamID uint64
	Sequence Sequence // for PacketID
	Amount   Amount   // of the whole packet, in our units
	Deadline Instant  // a decision after it is too late
}

// HoldInfo describes a hold that waits for a decision.
func (m *Machine) HoldInfo(h HoldHandle) (HoldInfo, bool) {
	rec, ok := m.holds.Get(slab.Handle(h))
	if !ok || rec.state != holdDeciding {
		return HoldInfo{}, false
	}
	return HoldInfo{
		Conn: m.connHandle(m.conns.At(rec.conn)), Stream: m.streamHandle(m.streams.At(rec.stream)), StreamID: uint64(m.streams.At(rec.stream).id),
		Sequence: rec.sequence, Amount: rec.amount, Deadline: Instant(rec.expiresNs - m.cfg.FulfillMargin),
	}, true
}

// beginAnswers and endAnswers frame replies that are made outside of Handle.
func (m *Machine) beginAnswers() { m.scratch.out, m.scratch.seals = m.scratch.out[:0], 0 }

func (m *Machine) endAnswers() {
	m.sealReplies()
	m.buryDead()
}

// answerRoom makes room in the scratch for one more reply, padded or not.
func (m *Machine) answerRoom() {
	if len(m.scratch.out)+frame.MaxPlaintext > cap(m.scratch.out) {
		m.sealReplies()
		m.scratch.out = m.scratch.out[:0]
	}
}

// releaseHold gives out a held fulfill, unless it has become too late for it.
func (m *Machine) releaseHold(h slab.Handle, durable bool, out Output) {
	rec, ok := m.holds.Get(h)
	if !ok {
		return
	}
	c := m.conns.At(rec.conn)
	l, linked := m.links.Get(slab.Handle(rec.link))
	late := int64(m.now) >= rec.expiresNs-m.cfg.FulfillMargin && !m.plant.expired()
	if !late && linked && l.up && !c.flags.has(flagClosed) && out.Room(rec.link) < m.replyRoom(c) {
		// Nothing is credited whose fulfill can not be written.
		rec.state, rec.durable = holdReady, durable
		m.holdTimers.Set(h.Index(), int64(m.now)+starvedRetry)
		return
	}
	parts := m.unhold(h.Index(), rec)
	e := Entry{Kind: Prepare, Link: rec.link, Request: rec.request}
	if late || !linked || !l.up || c.flags.has(flagClosed) {
		if durable {
			m.void(rec)
		}
		m.stats.Expired++
		if linked {
			m.reject(&e, ilp.R00, out)
		}
	} else {
		r := reply{entry: &e, conn: rec.conn, sequence: rec.sequence, amount: rec.amount, fulfillment: &rec.fulfillment, parts: parts}
		m.release(rec.conn, c, &r, out)
	}
	m.freeHold(h.Index(), rec, parts)
}

// freeHold gives a settled hold back.
func (m *Machine) freeHold(i uint32, rec *hold, parts []part) {
	for k := range parts {
		m.unrefStream(parts[k].stream)
	}
	m.unrefConn(rec.conn)
	m.holds.Free(i)
}

func (m *Machine) declineHold(i uint32, rec *hold, out Output) {
	parts := m.unhold(i, rec)
	e := Entry{Kind: Prepare, Link: rec.link, Request: rec.request}
	if _, ok := m.links.Get(slab.Handle(rec.link)); ok {
		r := reply{entry: &e, conn: rec.conn, sequence: rec.sequence, amount: rec.amount}
		if m.conns.At(rec.conn).flags.has(flagClosed) {
			m.reject(&e, ilp.F02, out)
		} else {
			m.replyReject(&r, out)
		}
	}
	m.freeHold(i, rec, parts)
}

// unhold takes a hold's amounts back from what limits count.
func (m *Machine) unhold(i uint32, rec *hold) []part {
	m.holdTimers.Clear(i)
	parts := m.partsOf(rec)
	m.freeParts(rec.more)
	mustSub(&m.conns.At(rec.conn).heldIn, rec.amount)
	for k := range parts {
		mustSub(&m.ownColdStream(m.streams.At(parts[k].stream)).heldIn, parts[k].amount)
	}
	return parts
}

// void stages the record that takes a credit back.
func (m *Machine) void(rec *hold) {
	if m.plant.unvoided() {
		return
	}
	m.credits.next++
	m.staged = append(m.staged, Credit{
		Seq: m.credits.next, Void: true, Conn: m.connHandle(m.conns.At(rec.conn)), ConnID: m.connID(rec.conn),
		Stream: m.streamHandle(m.streams.At(rec.stream)), StreamID: uint64(m.streams.At(rec.stream).id),
		Sequence: rec.sequence, Amount: rec.amount, Expires: Instant(rec.expiresNs),
	})
	m.credits.ring = append(m.credits.ring, stagedHold{seq: m.credits.next})
}

// release credits the streams and gives out the fulfillment: from here on the
// sender owes us the amount.
func (m *Machine) release(i uint32, c *conn, r *reply, out Output) {
	if r.amount > 0 {
		m.plant.lostCredit(&r.parts[0].amount)
		c.flags |= flagMovedMoney
		m.stats.ReleasedPackets++
		for k := range r.parts {
			s := m.streams.At(r.parts[k].stream)
			mustAdd(&c.totalReceived, r.parts[k].amount)
			mustAdd(&s.received, r.parts[k].amount)
			m.stats.Released = satAdd(m.stats.Released, r.parts[k].amount)
			m.moneyReceived(s, m.optionsOf(c), r.parts[k].amount)
		}
	}
	m.replyFulfill(r, out)
}
