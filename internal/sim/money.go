package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/bits"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// forwarded checks the amount that a connector passed on.
func (o *oracle) forwarded(k *connector, p *packet, link int, in, out, honestOut uint64) {
	if o.honest && out != honestOut {
		o.violate("M2", "connector %d passes %d of %d on, not %d", k.id, out, in, honestOut)
	}
}

// book enters a valid fulfill that reached the payer of a link: it owes the
// amount to the payee from here on.
func (o *oracle) book(p *packet, link int, amount uint64) {
	last := p.flow.links()
	if p.booked[link-1] != 0 {
		return // a copy
	}
	p.booked[link-1] = max(amount, amount+1)
	if link == 2 {
		o.costs(p)
	}
	if link == last {
		p.flow.paid.add(amount)
		if !p.released {
			o.violate("M3", "connection %d: sequence %d was paid, and its receiver never credited it", p.flow.c.id, p.sequence)
		}
	} else if p.booked[link] == 0 && o.honest {
		o.violate("M2", "connection %d: sequence %d was paid on link %d and not on the next", p.flow.c.id, p.sequence, link)
	}
}

// answerWritten takes the answer to a prepare that an end point writes.
func (o *oracle) answerWritten(n *node, m *message) {
	in := m.port.inbound[m.request]
	if in == nil || !in.known {
		o.violate("T2", "node %d answers request %d, which nobody made", n.id, m.request)
		return
	}
	if in.answers++; in.answers > 1 {
		o.violate("T2", "node %d answers request %d twice", n.id, m.request)
	}
	m.packet = in.packet
	if ilp.PeekType(m.buf) == ilp.TypeFulfill {
		m.kind = stream.Fulfill
	} else {
		m.kind = stream.Reject
	}
	var data []byte
	var fulfillment []byte
	if m.kind == stream.Fulfill {
		p, err := ilp.ParseFulfill(m.buf)
		if err != nil {
			o.violate("C3", "node %d writes a fulfill that does not parse: %v", n.id, err)
			return
		}
		data, fulfillment = p.Data(), p.Fulfillment()
	} else {
		p, err := ilp.ParseReject(m.buf)
		if err != nil {
			o.violate("C3", "node %d writes a reject that does not parse: %v", n.id, err)
			return
		}
		o.w.rejected(p.Code())
		data = p.Data()
	}
	if in.packet == nil {
		if m.kind == stream.Fulfill {
			o.violate("C2", "node %d fulfills a packet that nobody sent", n.id)
		}
		return
	}
	f := in.packet.flow
	n.touch(f)
	if len(data) > 0 && f.dest != n {
		o.violate("C2", "node %d takes sequence %d of connection %d for its peer's, and wrote it itself", n.id, in.packet.sequence, f.c.id)
	}
	if len(data) > 0 {
		o.replyWritten(n, f, in, m, data)
	}
	if m.kind == stream.Fulfill {
		o.fulfillWritten(n, f, in, fulfillment)
	}
}

// replyWritten checks the encrypted data of an answer.
func (o *oracle) replyWritten(n *node, f *flow, in *inbound, m *message, data []byte) {
	text, ok := o.open(f.c, data)
	if !ok {
		o.violate("C3", "connection %d: a reply does not decrypt", f.c.id)
		return
	}
	o.freshIV(f.c, data, sealer{f.other().dir, n.boots})
	v, err := frame.Parse(text)
	want := ilp.TypeReject
	if m.kind == stream.Fulfill {
		want = ilp.TypeFulfill
	}
	switch {
	case err != nil || v.PacketType != want:
		o.violate("C3", "connection %d: the reply to sequence %d is of type %d", f.c.id, in.packet.sequence, v.PacketType)
		return
	case v.Sequence != in.packet.sequence:
		o.violate("C3", "connection %d: the reply to sequence %d says %d", f.c.id, in.packet.sequence, v.Sequence)
	case uint64(v.PrepareAmount) != in.amount:
		o.violate("M8", "connection %d: the reply to sequence %d says that %d arrived, not %d", f.c.id, in.packet.sequence, v.PrepareAmount, in.amount)
	}
	m.clean = true
	m.text = append(m.text[:0], text...)
	if m.kind == stream.Fulfill {
		o.addReleased(f, in) // before the totals that it tells are looked at
	}
	for it := v.Frames(); it.Next(); {
		o.frames[it.Type()&31]++
		o.told(f.other(), it.Type(), it.Body())
		if it.Type() == frame.TypeStreamReceipt {
			b, _ := frame.ParseStreamReceipt(it.Body())
			o.receiptWritten(f, b)
		}
	}
}

// receiptWritten checks a receipt as it leaves.
func (o *oracle) receiptWritten(f *flow, b frame.StreamReceipt) {
	r, err := receipt.Parse(b.Receipt)
	if err != nil || !f.c.receipts || r.Nonce != f.c.nonce || uint64(r.StreamID) != b.StreamID {
		o.violate("R4", "connection %d: a receipt of stream %d that is none: %v", f.c.id, b.StreamID, err)
		return
	}
	h := hmac.New(sha256.New, f.c.secret[:])
	h.Write(b.Receipt[:receipt.SignedLen])
	if !hmac.Equal(h.Sum(nil), r.MAC[:]) {
		o.violate("R4", "connection %d: a receipt of stream %d does not verify", f.c.id, b.StreamID)
	}
	s, total := f.stream(b.StreamID), uint64(r.TotalReceived)
	if total < s.receipt {
		o.violate("R1", "connection %d stream %d: the total of receipts falls from %d to %d", f.c.id, s.id, s.receipt, total)
	}
	s.receipt = total
	if !f.here().atLeast(total) || f.dest.ledger && !f.durable.minus(f.durableBefore).atLeast(total) {
		o.violate("R2", "connection %d stream %d: a receipt for %d: %s", f.c.id, s.id, total, f.describe())
	}
	if !s.least.atMost(total) {
		o.violate("R3", "connection %d stream %d: a receipt for %d of at least %d", f.c.id, s.id, total, s.least.lo)
	}
}

func (o *oracle) addReleased(f *flow, in *inbound) {
	if in.amount == 0 {
		return
	}
	f.released.add(in.amount)
	if f.here().hi > 0 {
		o.violate("M10", "connection %d: what was released passes 2^64-1", f.c.id)
	}
	for i, x := range in.packet.parts {
		f.stream(x.StreamID).least.add(in.packet.part(i, in.amount))
	}
}

// costs enters what a packet that was paid for has cost its sender, for each stream that it
// pays: none may cost more than it may send, also where answers are lost. A hostile connector
// can have that, by telling that nothing has arrived, and so can a receiver that has forgotten
// what it took.
func (o *oracle) costs(p *packet) {
	f := p.flow
	for i := range p.parts {
		s := f.stream(p.parts[i].StreamID)
		s.cost.add(p.part(i, p.amount))
		s.paid++
		if most := (sum{lo: s.sendMax}).plus(sum{lo: o.vague(f, s)}); o.honest && !f.c.forgotten && most.less(s.cost) {
			o.violate("M12", "connection %d stream %d: it cost %d and may send %d: %s", f.c.id, s.id, s.cost.lo, s.sendMax, f.describe())
		}
	}
}

// vague is by how much the receiver's totals leave open what a stream's packets have cost.
// One unit of the receiver's may be many of the sender's, and a packet may bring one more or
// less than was foretold. Where rates drift that is a part of it, and where they step, by up
// to three times, nothing is known.
func (o *oracle) vague(f *flow, s *ostream) uint64 {
	switch {
	case o.w.faults.on.Has(RateStep):
		return 1 << 63
	case o.w.even() && o.w.constant():
		return 0
	}
	unit := 1 + f.source.float()/max(1, f.released.float())
	vague := float64(s.paid) * unit
	if !o.w.constant() {
		vague += float64(s.sendMax) / 64
	}
	return uint64(min(vague, 1<<63))
}

// part is how much of an amount goes to a packet's part, rounded down.
func (p *packet) part(i int, amount uint64) uint64 {
	var shares uint64
	for _, x := range p.parts {
		shares += x.Shares
	}
	hi, lo := bits.Mul64(amount, p.parts[i].Shares)
	q, _ := bits.Div64(hi, lo, shares)
	return q
}

// fulfillWritten checks a fulfill as its first octet is handed to the link.
func (o *oracle) fulfillWritten(n *node, f *flow, in *inbound, fulfillment []byte) {
	p := in.packet
	if f.dest != n {
		o.violate("C2", "node %d fulfills sequence %d of connection %d, which is not its own", n.id, p.sequence, f.c.id)
	}
	if !in.clean {
		o.violate("C2", "connection %d: sequence %d was altered on the way, and fulfilled", f.c.id, p.sequence)
	}
	if sha256.Sum256(fulfillment) != in.condition {
		o.violate("M3", "connection %d: the fulfillment of sequence %d does not match its condition", f.c.id, p.sequence)
	}
	if in.amount < p.minimum {
		o.violate("M6", "connection %d: sequence %d is fulfilled with %d, its minimum is %d", f.c.id, p.sequence, in.amount, p.minimum)
	}
	now := int64(n.clock.read(o.w.now))
	if margin := n.margin; now >= in.expiresMs*1e6-margin {
		o.violate("T1", "connection %d: sequence %d is released %d ms before its expiry", f.c.id, p.sequence, (in.expiresMs*1e6-now)/1e6)
	}
	if p.released && p.boot == n.boots {
		o.violate("M5", "connection %d: sequence %d is fulfilled twice", f.c.id, p.sequence)
	}
	p.released, p.boot, p.arrived = true, n.boots, in.amount
	if len(p.parts) > 0 {
		f.source.add(p.amount)
	}
	for i, x := range p.parts {
		f.stream(x.StreamID).source.add(p.part(i, p.amount))
	}
	state := f.sequences[p.sequence]
	if state&released != 0 {
		o.violate("M5", "connection %d: sequence %d is credited twice", f.c.id, p.sequence)
	}
	if n.ledger && in.amount > 0 && state&durable == 0 {
		o.violate("M4", "connection %d: sequence %d is fulfilled before its credit is durable", f.c.id, p.sequence)
	}
	f.sequences[p.sequence] = state | released
}

// States of a sequence at its receiver.
const (
	staged uint8 = 1 << iota
	durable
	released
	voided
)

// credit takes a record as it is staged.
func (o *oracle) credit(f *flow, c *stream.Credit) {
	if c.ConnID != f.c.name {
		o.violate("M5", "connection %d: a record of sequence %d is in the name of another connection", f.c.id, c.Sequence)
	}
	state := f.sequences[c.Sequence]
	switch {
	case c.Void && (state&staged == 0 || state&voided != 0):
		o.violate("M5", "connection %d: a void of sequence %d without its credit", f.c.id, c.Sequence)
	case c.Void && state&released != 0:
		o.violate("M3", "connection %d: sequence %d is fulfilled and voided", f.c.id, c.Sequence)
	case c.Void:
		state |= voided
	case state&staged != 0:
		o.violate("M5", "connection %d: sequence %d is staged twice", f.c.id, c.Sequence)
	default:
		state |= staged
	}
	f.sequences[c.Sequence] = state
}

// committed takes a record as the disk has it.
func (o *oracle) committed(f *flow, c *stream.Credit) {
	if c.Void {
		f.durable.sub(uint64(c.Amount))
		return
	}
	f.sequences[c.Sequence] |= durable
	f.durable.add(uint64(c.Amount))
}

// answerArrives takes an answer as a machine is handed it.
func (o *oracle) answerArrives(n *node, m *message) {
	p := m.packet
	if p == nil || p.flow.origin != n || p.answered {
		return
	}
	f := p.flow
	n.touch(f)
	p.answered = true
	money := p.amount > 0 && len(p.parts) > 0
	if p.sentBy != n.boots {
		if b, err := ilp.ParseFulfill(m.buf); money && m.kind == stream.Fulfill && err == nil && sha256.Sum256(b.Fulfillment()) == p.condition {
			o.book(p, 1, p.amount) // owed, though nobody here knows
		}
		return
	}
	if money {
		f.open.sub(p.amount)
		if !p.aged {
			f.fresh.sub(p.amount)
		}
	}
	late := p.aged || int64(n.clock.read(o.w.now)) >= p.expiresMs*1e6+n.grace-slack
	text := m.text
	if !m.clean {
		text = nil
		if data := answerData(m); len(data) >= frame.Overhead && f.c.ivs[[12]byte(data)] != (sealer{f.dir, n.boots}) {
			text, _ = o.open(f.c, data) // and it is not the sender's own, sent back
		}
	}
	trusted := false
	var v frame.Packet
	if len(text) > 0 {
		var err error
		v, err = frame.Parse(text)
		if trusted = err == nil && v.Sequence == p.sequence && v.PacketType != ilp.TypePrepare; trusted {
			o.heard(f.other(), text)
			p.place.proven = true
		}
	}
	if !money {
		return
	}
	b, err := ilp.ParseFulfill(m.buf)
	if m.kind != stream.Fulfill || err != nil || sha256.Sum256(b.Fulfillment()) != p.condition {
		if late {
			f.may.add(p.amount) // the receiver's totals may have told before that it arrived
		}
		return
	}
	arrived := p.minimum
	if trusted && v.PacketType == ilp.TypeFulfill {
		arrived = max(arrived, uint64(v.PrepareAmount))
	}
	o.book(p, 1, p.amount)
	if !p.released || p.arrived < p.minimum {
		o.violate("L5", "connection %d: sequence %d cost %d, and %d of at least %d arrived", f.c.id, p.sequence, p.amount, p.arrived, p.minimum)
	}
	if late {
		f.may.add(p.amount)
		return
	}
	f.must.add(p.amount)
	f.claimed.add(arrived)
	f.least.add(p.minimum)
}

// slack is how much earlier than its instant a timer may fire: more than a tick.
const slack = 2e7

// age notes what has passed its expiry and margin: the sender may learn from
// the receiver's totals what became of it.
func (o *oracle) age(f *flow, now int64, grace int64) {
	for f.oldest < len(f.inFlight) {
		p := f.inFlight[f.oldest]
		if !p.answered {
			if now < p.expiresMs*1e6+grace-slack {
				return
			}
			p.aged = true
			f.fresh.sub(p.amount)
		}
		f.inFlight[f.oldest] = nil
		f.oldest++
	}
}
