package stream

import (
	"bytes"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/receipt"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// work is one packet on its way through the stages.
type work struct {
	conn    uint32 // the connection that the token named, or 0
	slot    uint32 // the request that an answer belongs to, or 0
	woken   uint32 // the connection that look-up has woken, or 0
	scratch int8   // the scratch key block of a token we did not know, or -1
	refuse  bool   // decided by look-up: answer with code
	code    ilp.Code
	token   uint64
	packet  ilp.Prepare
	reply   ilp.Reject
	answers bool // the fulfillment is the one we expect
}

// newcomer is a token that is not in the table but authenticates.
type newcomer struct {
	token  uint64
	server uint32
	opened opened
	memory tokenScratch
}

// scratch is the memory of one vector.
type scratch struct {
	work      [MaxVector]work
	open      [MaxVector]aesni.Op
	seal      [MaxVector]aesni.Op
	prove     [MaxVector]proof
	seals     int
	newcomers []newcomer
	text      []byte // plaintexts of what came in
	out       []byte // plaintexts of what goes out
	parts     [maxParts]part
	receipt   []byte
}

// proof is what Transmit does with a sealed prepare once it is proved.
type proof struct {
	condition []byte // region of the packet, or nil when it holds random octets
	slot      uint32
}

func (s *scratch) init() {
	s.newcomers = make([]newcomer, 0, 4)
	s.text = make([]byte, 0, maxVectorOctets+ilp.MaxData)
	s.out = make([]byte, 0, maxVectorOctets+frame.MaxPlaintext)
	s.receipt = make([]byte, 0, receipt.Len)
}

// Handle takes packets in order of arrival. It borrows them until it returns.
func (m *Machine) Handle(now Instant, in []Entry, out Output) {
	m.now = now
	for len(in) > 0 {
		n, octets := 0, 0
		for n < len(in) && n < MaxVector {
			if octets += len(in[n].Packet); n > 0 && octets > maxVectorOctets {
				break
			}
			if n++; m.configures(&in[n-1]) {
				break // what comes after it is looked up with the address that it tells
			}
		}
		m.vector(in[:n], out)
		in = in[n:]
	}
}

func (m *Machine) vector(in []Entry, out Output) {
	m.stats.Vectors++
	m.stats.PacketsIn += uint64(len(in))
	w := &m.scratch
	w.text, w.out, w.seals = w.text[:0], w.out[:0], 0
	w.newcomers = w.newcomers[:0]
	for i := range in {
		m.lookUp(&in[i], &w.work[i], &w.open[i], out)
	}
	m.keys.OpenVector(w.open[:len(in)])
	for i := range in {
		if in[i].Kind != Prepare || !w.open[i].OK {
			w.open[i].Data = nil
		} else if s := w.work[i].scratch; s >= 0 {
			m.proveNewcomer(int(s))
		}
	}
	m.keys.ProveVector(w.open[:len(in)])
	for i := range in {
		if k := w.work[i].woken; k != 0 {
			m.armConn(k, m.conns.At(k)) // in its turn: timers of one tick fire in order of arming
		}
		switch in[i].Kind {
		case Prepare:
			m.stats.PreparesIn++
			m.decidePrepare(&in[i], &w.work[i], &w.open[i], out)
		default:
			m.decideAnswer(&in[i], &w.work[i], &w.open[i], out)
		}
	}
	m.sealReplies()
	for i := range in {
		w.open[i].Text, w.open[i].Data = nil, nil
		w.work[i].packet, w.work[i].reply = ilp.Prepare{}, ilp.Reject{}
	}
	m.buryDead()
}

// lookUp finds what a packet belongs to and readies its opening. It changes no
// state but the vector's scratch.
func (m *Machine) lookUp(e *Entry, w *work, op *aesni.Op, out Output) {
	*w = work{scratch: -1}
	op.Data, op.Text, op.OK = nil, nil, false
	if e.Kind != Prepare {
		m.lookUpAnswer(e, w, op)
		return
	}
	p, err := ilp.ParsePrepare(e.Packet)
	if err != nil {
		w.refuse, w.code = true, ilp.F01
		return
	}
	w.packet = p
	l, ok := m.links.Get(slab.Handle(e.Link))
	if !ok {
		w.refuse, w.code = true, ilp.F02
		return
	}
	segment, ok := segmentBelow(p.Destination(), l.address)
	if !ok {
		segment, ok = segmentBelow(p.Destination(), l.former)
	}
	if !ok {
		if !bytes.HasPrefix(p.Destination(), peerPrefix) && !l.isEcho(p) {
			w.refuse, w.code = true, ilp.F02
		}
		return
	}
	w.token = m.tokenHash(segment)
	v := m.tokens.Get(w.token)
	switch {
	case v&graveBit != 0:
		w.refuse, w.code = true, ilp.F02
		return
	case v != 0:
		w.conn = v
		op.Key = keySlot(v)
		if m.wake(v, m.conns.At(v)) {
			w.woken = v
		}
	default:
		if !m.lookUpNewcomer(e, w, l, segment, out) {
			return
		}
		op.Key = uint32(w.scratch)
	}
	m.openInto(op, p.Data())
}

// openInto gives an envelope its place among the vector's plaintexts.
func (m *Machine) openInto(op *aesni.Op, envelope []byte) {
	if len(envelope) < frame.Overhead {
		return
	}
	w := &m.scratch
	from, to := len(w.text), len(w.text)+len(envelope)-frame.Overhead
	w.text = w.text[:to]
	op.Data, op.Text = envelope, w.text[from:to:to]
}

// lookUpNewcomer authenticates a token that is not in the table and derives
// its encryption key into scratch. Equal tokens of a vector share one block.
func (m *Machine) lookUpNewcomer(e *Entry, w *work, l *link, segment []byte, out Output) bool {
	if d := m.cfg.Directory; d != nil {
		if home, ok := d.Home(w.token); ok && home != m.cfg.Shard {
			out.Forward(home, *e)
			w.refuse = true // answered there
			return false
		}
	}
	w.refuse, w.code = true, ilp.F02
	if l.server == 0 {
		return false
	}
	s := &m.scratch
	for i := range s.newcomers {
		if s.newcomers[i].token == w.token {
			w.scratch, w.refuse = int8(i), false
			return true
		}
	}
	n := len(s.newcomers)
	if n < cap(s.newcomers) {
		s.newcomers = s.newcomers[:n+1]
	} else {
		s.newcomers = append(s.newcomers, newcomer{})
	}
	c := &s.newcomers[n]
	var ok bool
	if c.opened, ok = m.servers[l.server].tokens.open(segment, &c.memory); !ok {
		s.newcomers = s.newcomers[:n]
		m.stats.Forged++
		return false
	}
	c.token, c.server = w.token, l.server
	m.keys.DeriveEncryption(uint32(n), c.opened.secret[:])
	w.scratch, w.refuse = int8(n), false
	return true
}

// proveNewcomer derives the fulfillment key of a newcomer, once a packet of it
// has opened.
func (m *Machine) proveNewcomer(n int) {
	c := &m.scratch.newcomers[n]
	if c.server&provedBit == 0 {
		c.server |= provedBit
		m.keys.DeriveFulfillment(uint32(n), c.opened.secret[:])
	}
}

// provedBit in newcomer.server: the fulfillment key is derived.
const provedBit = 1 << 31

var peerPrefix = []byte("peer.")

// segmentBelow is the first segment of an address below a prefix.
func segmentBelow(address, prefix []byte) ([]byte, bool) {
	n := len(prefix)
	if n == 0 || len(address) < n+2 || address[n] != '.' || !bytes.Equal(address[:n], prefix) {
		return nil, false
	}
	rest := address[n+1:]
	if dot := bytes.IndexByte(rest, '.'); dot >= 0 {
		rest = rest[:dot]
	}
	return rest, true
}

// reject answers without a STREAM packet, as a connector would. The message is
// empty so that nothing is learned from it.
func (m *Machine) reject(e *Entry, code ilp.Code, out Output) {
	m.rejectTo(e.Link, e.Request, code, out)
}

func (m *Machine) rejectTo(h LinkHandle, request uint32, code ilp.Code, out Output) {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok {
		return
	}
	m.stats.RejectsOut++
	if region := out.Reply(h, request, ilp.RejectLen(len(l.address), 0, 0)); region != nil {
		ilp.PutReject(region, code, l.address, nil, 0)
	}
}

// sealReply queues the encryption of a reply's plaintext into its place in the
// output. The IV is drawn here, in packet order.
func (m *Machine) sealReply(conn uint32, text, region []byte) {
	w := &m.scratch
	if w.seals == MaxVector {
		m.sealReplies()
	}
	op := &w.seal[w.seals]
	w.seals++
	op.Key, op.Text, op.Data = keySlot(conn), text, region
	m.ivs.Next(&op.IV)
	m.plant.iv(&op.IV)
}

func (m *Machine) sealReplies() {
	w := &m.scratch
	m.keys.SealVector(w.seal[:w.seals])
	for i := range w.seals {
		w.seal[i].Text, w.seal[i].Data = nil, nil
	}
	w.seals = 0
}
