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
	marks
	segment []byte // of a prepare's destination: its token
	packet  ilp.Prepare
	reply   ilp.Reject
}

// marks are what view begins anew for each packet.
type marks struct {
	conn      uint32 // the connection that the token named, or 0
	slot      uint32 // the request that an answer belongs to, or 0
	woken     uint32 // the connection that the look-up of an answer has woken, or 0
	found     uint32 // what the token is known for
	token     uint64
	tokenAt   uint16 // where in the destination the segment is
	scratch   int8   // the scratch key block of a newcomer or a sleeper, or -1
	refuse    bool   // decided by look-up: answer with code
	unchecked bool   // the address is not checked yet
	answers   bool   // the fulfillment is the one we expect
	forged    bool   // nobody issued the token
	code      ilp.Code
}

// newcomer is a token that is not in the table but authenticates; or a connection that
// sleeps, which a packet wakes once it proves genuine.
type newcomer struct {
	token   uint64
	server  uint32 // or 0 of a sleeper
	sleeper uint32 // number of the handle of the connection, or 0
	opened  opened // of a remembered one only the secret; nothing of a sleeper
	memory  tokenScratch

	remembered bool
}

// scratch is the memory of one vector. What it points to, beyond its own, is good
// only during the call: the next vector writes it anew before it is looked at.
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
	made      []byte     // the address of a connection that is opened
	local     []byte     // see localOf
	peer      []byte     // see peerOf
	link      *link      // that the packet before came in on
	linkOf    LinkHandle // the same, or 0
	roomOf    LinkHandle // for which room is reckoned, or 0
	room      int        // octets
	far       bool       // connections do not stand near: the memory is asked for them
	ahead     bool       // and the vector has more than one packet
	fulfill   ilp.Fulfill
	money     frame.MoneyPacket
	limit     frame.MaxMoneyPacket
	expiry    ilp.ExpiryMemo // of prepares in
	folded    []byte         // what a connection is folded into
}

// proof is what Transmit does with a sealed prepare once it is proved.
type proof struct {
	condition *[32]byte // region of the packet, or nil when it holds random octets
	slot      uint32
}

// beforeText is a cache line.
const beforeText = 64

func (s *scratch) init() {
	s.newcomers = make([]newcomer, 0, 4)
	// Not at the beginning of a page, where short packets are slow to be sealed and opened.
	s.text = make([]byte, beforeText, beforeText+maxVectorOctets+ilp.MaxData)[beforeText:]
	s.out = make([]byte, beforeText, beforeText+maxVectorOctets+frame.MaxPlaintext)[beforeText:]
	s.receipt = make([]byte, 0, receipt.Len)
	s.folded = make([]byte, 0, maxFold) // it never moves, and leaves no secrets behind
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
			if n++; m.asking > 0 && m.configures(&in[n-1]) {
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
	w.newcomers, w.linkOf, w.roomOf = w.newcomers[:0], 0, 0
	w.far = m.conns.Len() > connsNear
	w.ahead = w.far && len(in) > 1
	m.fetchSlots(in)
	work, open := w.work[:len(in)], w.open[:len(in)]
	for i := range in {
		m.view(&in[i], &work[i], &open[i])
	}
	m.find(work)
	for i := range in {
		m.lookUp(&in[i], &work[i], &open[i], out)
	}
	m.keys.OpenVector(open)
	m.ivs.Recognise(open)
	for i := range in {
		if in[i].Kind != Prepare || !open[i].OK {
			open[i].Data = nil
		} else if s := work[i].scratch; s >= 0 {
			m.proveNewcomer(int(s))
		}
	}
	m.keys.ProveVector(open)
	for i := range in {
		e, packet, op := &in[i], &work[i], &open[i]
		if k := packet.woken; k != 0 {
			m.armConn(k, m.conns.At(k)) // in its turn: timers of one tick fire in order of arming
		}
		if e.Kind != Prepare {
			m.decideAnswer(e, packet, op, out)
			continue
		}
		m.stats.PreparesIn++
		if packet.conn == 0 || !op.OK || !m.plainPrepare(e, packet, op, out) {
			w.roomOf = 0
			m.decidePrepare(e, packet, op, out)
		}
	}
	m.sealReplies()
	m.forgetSleepers()
	m.buryDead()
}

// fetchSlots asks the memory for the requests that answers are to. It need not be right:
// who looks for them compares generations.
func (m *Machine) fetchSlots(in []Entry) {
	if len(in) == 1 || m.slots.Len() < slotsNear {
		return
	}
	for i := range in {
		if k := (in[i].Request ^ m.requestMask) & (1<<requestIndexBits - 1); in[i].Kind != Prepare && m.slots.Generation(k) != 0 {
			m.slots.Prefetch(k, slotLines)
		}
	}
}

// view parses a packet and finds out by what name to look up what it belongs to.
func (m *Machine) view(e *Entry, w *work, op *aesni.Op) {
	w.marks, w.segment = marks{scratch: -1}, nil
	op.Data, op.Text, op.OK = nil, nil, false
	if e.Kind != Prepare {
		if w.slot, w.conn = m.slotOfAnswer(e); w.conn != 0 && m.scratch.ahead {
			m.conns.Prefetch(w.conn, linesOut)
		}
		return
	}
	p := &w.packet
	if p.ParseUnaddressed(e.Packet, &m.scratch.expiry) != nil {
		w.refuse, w.code = true, ilp.F01
		return
	}
	l := m.linkIn(e.Link)
	if l == nil {
		w.refuse, w.code = true, ilp.F02
		return
	}
	own := l.address
	segment, whole, ok := segmentBelow(p.Destination(), own)
	if !ok {
		own = l.former
		segment, whole, ok = segmentBelow(p.Destination(), own)
	}
	// An address that is the token of a connection behind our own is valid.
	w.unchecked = ok && whole
	if !w.unchecked && ilp.CheckAddress(p.Destination()) != nil {
		w.refuse, w.code = true, ilp.F01
		return
	}
	if !ok {
		if !bytes.HasPrefix(p.Destination(), peerPrefix) && !l.isEcho(*p) {
			w.refuse, w.code = true, ilp.F02
		}
		return
	}
	w.token, w.segment, w.tokenAt = m.tokenHash(segment), segment, uint16(len(own)+1)
	if m.scratch.ahead {
		m.tokens.Prefetch(w.token)
	}
}

// find looks the tokens of a vector up. Here and around it the memory is asked for what
// is needed two stages later, so that nobody waits for it: the place in the table
// while packets are parsed, the connections now, their streams while they are opened.
func (m *Machine) find(w []work) {
	for i := range w {
		if w[i].segment == nil {
			continue
		}
		w[i].found = m.tokens.Get(w[i].token)
		if v := w[i].found; m.scratch.far && v != 0 && v&(graveBit|sleepBit) == 0 {
			m.conns.Prefetch(v, linesIn)
		}
	}
}

// Cache lines of a connection, and of a stream, that a packet in and a packet out with
// its answer touch (conn, streamRec).
const (
	linesIn, linesOut             = 1, 4
	slotLines                     = 2
	streamLinesIn, streamLinesOut = 1, 2
)

// prefetchStream asks for the first stream of a connection.
func (m *Machine) prefetchStream(c *conn, lines int) {
	if m.scratch.far && c.firstStream != 0 {
		m.streams.Prefetch(c.firstStream, lines)
	}
}

// linkIn is the link that a packet of the vector came in on, or nil: mostly that of the
// one before.
func (m *Machine) linkIn(h LinkHandle) *link {
	w := &m.scratch
	if w.linkOf != h || h == 0 {
		l, ok := m.links.Get(slab.Handle(h))
		if !ok {
			return nil
		}
		w.linkOf, w.link = h, l
	}
	return w.link
}

// lookUp finds what a packet belongs to and readies its opening. It changes no
// state but the vector's scratch.
func (m *Machine) lookUp(e *Entry, w *work, op *aesni.Op, out Output) {
	if e.Kind != Prepare {
		w.conn = 0
		m.lookUpAnswer(e, w, op)
		return
	}
	if w.segment == nil || w.refuse {
		return
	}
	v := w.found
	switch {
	case v&graveBit != 0:
		w.refuse, w.code = true, ilp.F02
		return
	case v&sleepBit != 0:
		w.scratch = m.lookUpSleeper(v &^ sleepBit)
		op.Key = scratchKey(int(w.scratch))
	case v != 0:
		w.conn = v
		c := m.conns.At(v)
		if op.Key = keySlot(v); c.flags.has(flagAsleep) {
			w.scratch = m.lookUpSleeper(c.self)
			op.Key = scratchKey(int(w.scratch))
		}
		m.prefetchStream(c, streamLinesIn)
	default:
		if w.unchecked && ilp.CheckAddress(w.packet.Destination()) != nil {
			w.refuse, w.code = true, ilp.F01
			return
		}
		if !m.lookUpNewcomer(e, w, m.linkOf(e.Link), w.segment, out) {
			return
		}
		op.Key = scratchKey(int(w.scratch))
	}
	m.openInto(op, w.packet.Data())
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
		if s.newcomers[i].token == w.token && s.newcomers[i].server&^provedBit == l.server {
			w.scratch, w.refuse = int8(i), false
			return true
		}
	}
	if m.floods(l) {
		w.code = ilp.T05
		return false
	}
	n, c := s.newcomer()
	c.token, c.server, c.sleeper = w.token, l.server, 0
	if c.remembered = m.remember(c); !c.remembered {
		var ok bool
		if c.opened, ok = m.servers[l.server].tokens.open(segment, &c.memory); !ok {
			s.newcomers = s.newcomers[:n]
			w.forged = true
			return false
		}
		m.note(c)
	}
	m.keys.DeriveEncryption(scratchKey(n), c.opened.secret[:])
	w.scratch, w.refuse = int8(n), false
	return true
}

// newcomer takes the next place for one, in which the one before is left.
func (s *scratch) newcomer() (n int, c *newcomer) {
	if n = len(s.newcomers); n < cap(s.newcomers) {
		s.newcomers = s.newcomers[:n+1]
	} else {
		s.newcomers = append(s.newcomers, newcomer{})
	}
	return n, &s.newcomers[n]
}

// lookUpSleeper derives the encryption key of a connection that sleeps into scratch:
// garbage does not wake it. Its packets of a vector share one block.
func (m *Machine) lookUpSleeper(self uint32) int8 {
	s := &m.scratch
	for k := range s.newcomers {
		if s.newcomers[k].sleeper == self {
			return int8(k)
		}
	}
	n, sleeper := s.newcomer()
	sleeper.token, sleeper.server, sleeper.sleeper, sleeper.remembered = 0, 0, self, false
	m.keys.DeriveEncryption(scratchKey(n), m.secretOf(self)[:])
	return int8(n)
}

// proveNewcomer derives the fulfillment key of a newcomer, or a sleeper, once a packet of
// it has opened.
func (m *Machine) proveNewcomer(n int) {
	c := &m.scratch.newcomers[n]
	if c.server&provedBit != 0 {
		return
	}
	c.server |= provedBit
	secret := &c.opened.secret
	if c.sleeper != 0 {
		secret = m.secretOf(c.sleeper)
	}
	m.keys.DeriveFulfillment(scratchKey(n), secret[:])
}

// awaken wakes a connection whose packet has opened with the keys of a scratch block.
func (m *Machine) awaken(i uint32, c *conn, n int8) {
	invariant(n >= 0 && m.scratch.newcomers[n].sleeper == c.self, "the keys of another connection wake this one")
	c.flags &^= flagAsleep
	m.keys.Move(keySlot(i), scratchKey(int(n)))
	m.armConn(i, c)
}

// forgetSleepers wipes the keys of those that were not woken.
func (m *Machine) forgetSleepers() {
	for n := range m.scratch.newcomers {
		if m.scratch.newcomers[n].sleeper != 0 {
			m.keys.Wipe(scratchKey(n))
		}
	}
}

// provedBit in newcomer.server: the fulfillment key is derived.
const provedBit = 1 << 31

var peerPrefix = []byte("peer.")

// segmentBelow is the first segment of an address below a prefix; whole says that the
// address ends with it.
func segmentBelow(address, prefix []byte) (segment []byte, whole, ok bool) {
	n := len(prefix)
	if n == 0 || len(address) < n+2 || address[n] != '.' || !bytes.Equal(address[:n], prefix) {
		return nil, false, false
	}
	rest := address[n+1:]
	if dot := bytes.IndexByte(rest, '.'); dot >= 0 {
		return rest[:dot], false, true
	}
	return rest, true, true
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
func (m *Machine) sealReply(i uint32, c *conn, text, region []byte) {
	w := &m.scratch
	if w.seals == MaxVector {
		m.sealReplies()
	}
	op := &w.seal[w.seals]
	w.seals++
	op.Key, op.Text, op.Data = m.keyOf(i, c), text, region
	m.ivs.Next(&op.IV, c.end())
	m.plant.iv(&op.IV)
}

// keyOf is the slot of the keys that a connection seals with.
func (m *Machine) keyOf(i uint32, c *conn) uint32 {
	invariant(!c.flags.has(flagAsleep), "a connection without keys seals a packet")
	return keySlot(i)
}

func (m *Machine) sealReplies() {
	w := &m.scratch
	m.keys.SealWarm(w.seal[:w.seals]) // most answer what was opened with the same keys just now
	w.seals = 0
}
