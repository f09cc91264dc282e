package sim

import (
	"crypto/sha256"
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// connector is a model of one: it forwards prepares by address at a rate, gives
// fulfills and rejects back, keeps books, and is as good or bad as the swarm
// makes it. It shares no code with the engine but the codec of ILP packets.
type connector struct {
	w       *World
	id      int
	r       *rand.Rand
	clock   clock
	name    []byte
	peers   []peer
	pending []pending
	unused  []int
	live    int
	sweeps  bool

	num, den   uint64 // rate towards the receivers
	baseNum    uint64
	maxPacket  uint64 // of what comes from the senders' side
	window     int64  // ms taken off each expiry
	numbers    bool   // F08 with the two amounts
	zeroIsR01  bool   // nothing left after the rate: R01, else a packet of 0
	answersOld bool   // requests of a lost socket are answered on the next
	liquidity  uint64
	lastData   []byte // data of an earlier answer, to swap in
}

// peer is one of a connector's links.
type peer struct {
	socket   *socket
	side     int  // its end of the socket
	upstream bool // on the senders' side
	port     *port
	in, out  sum      // money it owes us, money we owe it
	names    [][]byte // to which prepares went to it, a few
	named    int
}

// note notes a name that prepares to a peer have.
func (p *peer) note(name []byte) {
	const few = 4
	if len(p.names) < few {
		p.names = append(p.names, nil)
	}
	i := p.named % few
	p.names[i] = append(p.names[i][:0], name...)
	p.named++
}

// pending is a prepare that was passed on.
type pending struct {
	used      bool
	gen       uint16
	to        int
	from      int // -1 for a copy that nobody waits for
	fromEpoch uint32
	request   uint32 // of the peer it came from
	packet    *packet
	link      int // number of the link it went out on, from the origin
	in, out   uint64
	expiresMs int64
	condition [32]byte
}

func (k *connector) nowMs() int64 { return int64(k.clock.read(k.w.now)) / 1e6 }

// arrive takes one packet from a peer.
func (k *connector) arrive(from int, m *message) {
	w := k.w
	w.trace(uint64(0xc0+k.id), uint64(m.kind), uint64(m.request))
	if m.kind == stream.Prepare {
		k.prepare(from, m)
		return
	}
	k.answer(from, m)
}

// say answers a prepare with a code of the connector's own.
func (k *connector) say(to int, m *message, code ilp.Code, data []byte) {
	n := ilp.RejectLen(len(k.name), 0, len(data))
	a := k.w.newMessage(stream.Reject, m.request, n)
	copy(ilp.PutReject(a.buf, code, k.name, nil, len(data)), data)
	a.packet = m.packet
	k.w.free(m)
	k.send(to, a)
}

func (k *connector) send(to int, m *message) {
	p := &k.peers[to]
	p.socket.write(p.side, m)
}

var sayings = [...]struct {
	f    Fault
	code ilp.Code
}{
	{SayR00, ilp.R00}, {SayR01, ilp.R01}, {SayR02, ilp.R02}, {SayF02, ilp.F02}, {SayF08, ilp.F08}, {SayF99, ilp.F99},
	{SayT00, ilp.T00}, {SayT01, ilp.T01}, {SayT02, ilp.T02}, {SayT03, ilp.T03}, {SayT04, ilp.T04}, {SayT05, ilp.T05},
}

var otherCodes = [...]ilp.Code{
	ilp.F00, ilp.F01, ilp.F03, ilp.F04, ilp.F05, ilp.F06, ilp.F07, ilp.T99, ilp.R99, {'F', '7', '7'}, {'T', '4', '2'}, {'R', '1', '1'}, {'?', 0, 0},
}

// prepare passes a prepare on, or answers it.
func (k *connector) prepare(from int, m *message) {
	w, f := k.w, k.w.faults
	p, err := ilp.ParsePrepare(m.buf)
	if err != nil {
		k.say(from, m, ilp.F01, nil)
		return
	}
	amount := uint64(p.Amount())
	if f.on != 0 && !f.healed {
		if f.hits(Drop) {
			w.free(m)
			return
		}
		for _, s := range &sayings {
			if f.on.Has(s.f) && f.hits(s.f) {
				k.say(from, m, s.code, nil)
				return
			}
		}
		if f.hits(SayOther) {
			k.say(from, m, otherCodes[f.r.IntN(len(otherCodes))], nil)
			return
		}
		if amount > 1 && f.hits(SayF08Numbers) {
			k.say(from, m, ilp.F08, ilp.AppendTooLarge(nil, ilp.Amount(amount), ilp.Amount(amount/2)))
			return
		}
		if f.hits(FailLink) {
			m.kind, m.buf = stream.Failure, m.buf[:0]
			k.send(from, m)
			return
		}
	}
	now := k.nowMs()
	if p.ExpiryUnixMs() <= now {
		k.say(from, m, ilp.R00, nil)
		return
	}
	expires := p.ExpiryUnixMs() - k.window
	if expires <= now {
		k.say(from, m, ilp.R02, nil)
		return
	}
	if ildcp.IsRequest(p) {
		k.configure(from, m)
		return
	}
	to := k.lookUp(p.Destination())
	if to < 0 || to == from {
		k.say(from, m, ilp.F02, nil)
		return
	}
	if max := k.maxFrom(from); amount > max {
		var data []byte
		if k.numbers {
			data = ilp.AppendTooLarge(nil, ilp.Amount(amount), ilp.Amount(max))
		}
		k.say(from, m, ilp.F08, data)
		return
	}
	out, ok := k.convert(from, to, amount)
	if !ok {
		k.say(from, m, ilp.T04, nil)
		return
	}
	if amount > 0 && out == 0 && k.zeroIsR01 {
		k.say(from, m, ilp.R01, nil)
		return
	}
	if f.active(Liquidity) {
		if amount > k.liquidity {
			w.count[Liquidity]++
			k.say(from, m, ilp.T04, nil)
			return
		}
		k.liquidity -= amount
	}
	if !k.peers[to].socket.up {
		k.say(from, m, ilp.T01, nil)
		return
	}
	k.forward(from, to, m, &p, amount, out, expires)
}

// forward writes a prepare to the next hop, tampered with if the swarm says so.
func (k *connector) forward(from, to int, m *message, p *ilp.Prepare, amount, out uint64, expires int64) {
	w, f := k.w, k.w.faults
	honestOut, delay, copies := out, int64(0), 0
	condition := [32]byte(p.Condition())
	if f.on != 0 && !f.healed {
		if out > 0 && f.hits(CorruptAmount) {
			out -= 1 + f.r.Uint64N(out)
		}
		if f.hits(ExpiryCut) {
			expires = min(expires, k.nowMs()+between(f.r, 1, 600))
		}
		if f.hits(ExpiryFar) {
			expires += between(f.r, 1000, 3600_000)
		}
		if f.hits(CorruptCondition) {
			p.Condition()[f.r.IntN(32)] ^= 1 << f.r.IntN(8)
		}
		if d := p.Data(); len(d) > 0 && f.hits(CorruptData) {
			d[f.r.IntN(len(d))] ^= 1 << f.r.IntN(8)
			m.clean = false
		}
		if f.hits(CorruptAddress) {
			d := p.Destination()
			d[len(d)-1-f.r.IntN(8)] = 'A' + byte(f.r.IntN(26))
		}
		if f.hits(Reorder) {
			delay = between(f.r, 1e6, 3e9)
		}
		if f.hits(Replay) {
			copies = 1
		}
	}
	p.SetAmount(ilp.Amount(out))
	stamp := ilp.MakeTimestamp(expires)
	p.SetExpiry(&stamp)
	if f.hits(Garble) {
		m.buf = m.buf[:f.r.IntN(len(m.buf))]
		m.clean = false
	}
	e := pending{
		from: from, to: to, fromEpoch: k.peers[from].socket.epoch, request: m.request, packet: m.packet,
		in: amount, out: out, expiresMs: expires, condition: condition,
	}
	if m.packet != nil {
		e.link = m.packet.linkOf(k) + 1
		w.oracle.forwarded(k, m.packet, e.link, amount, out, honestOut)
	}
	if copies > 0 {
		c := w.clone(m)
		e2 := e
		e2.from = -1
		c.request = k.keep(&e2)
		c.peer = to
		w.schedule(w.now+between(f.r, 1, 5e9), evEmit, int32(k.id), 0, c)
	}
	if f.on != 0 && !f.healed {
		if names := k.peers[from].names; m.packet != nil && len(names) > 0 && f.hits(Reflect) {
			k.reflect(m, p, &e, names[f.r.IntN(len(names))])
		}
		k.peers[to].note(p.Destination())
	}
	m.request = k.keep(&e)
	if delay > 0 {
		m.peer = to
		w.schedule(w.now+delay, evEmit, int32(k.id), 0, m)
		return
	}
	k.send(to, m)
}

// reflect sends a copy of a prepare back, to a name that its sender goes by.
func (k *connector) reflect(m *message, p *ilp.Prepare, e *pending, name []byte) {
	w := k.w
	most := int64(5e9)
	if w.faults.r.IntN(4) == 0 {
		most = 150e9 // its connection may sleep by then, or be over
	}
	delay := between(w.faults.r, 1, most)
	expires := k.nowMs() + delay/1e6 + 30_000
	b, err := ilp.AppendPrepare(nil, &ilp.PrepareFields{
		Amount: ilp.Amount(e.in), Expiry: ilp.MakeTimestamp(expires), Condition: e.condition, Destination: name, Data: p.Data(),
	})
	if err != nil {
		return // it was altered before
	}
	c := w.clone(m)
	c.buf = append(c.buf[:0], b...)
	c.request, c.peer = k.keep(&pending{from: -1, to: e.from, out: e.in, expiresMs: expires, condition: e.condition}), e.from
	w.schedule(w.now+delay, evEmit, int32(k.id), 0, c)
}

// keep remembers a prepare that is passed on and gives it its request id.
func (k *connector) keep(e *pending) uint32 {
	var i int
	if n := len(k.unused); n > 0 {
		i = k.unused[n-1]
		k.unused = k.unused[:n-1]
		e.gen = k.pending[i].gen + 1
	} else {
		i = len(k.pending)
		k.pending = append(k.pending, pending{})
	}
	e.used = true
	k.pending[i] = *e
	k.live++
	if !k.sweeps {
		k.sweeps = true
		k.w.schedule(k.w.now+5e8, evSweep, int32(k.id), 0, nil)
	}
	return uint32(i) | uint32(e.gen)<<16
}

func (k *connector) release(i int) {
	k.pending[i].used = false
	k.pending[i].packet = nil
	k.unused = append(k.unused, i)
	k.live--
}

// answer passes an answer back to where the prepare came from.
func (k *connector) answer(from int, m *message) {
	w := k.w
	i := int(m.request & 0xffff)
	if i >= len(k.pending) || !k.pending[i].used || k.pending[i].gen != uint16(m.request>>16) || k.pending[i].to != from {
		w.free(m) // too late, or the second
		return
	}
	e := k.pending[i]
	k.release(i)
	proven := false
	if m.kind == stream.Fulfill {
		f, err := ilp.ParseFulfill(m.buf)
		proven = err == nil && sha256.Sum256(f.Fulfillment()) == e.condition
		if proven && k.nowMs() >= e.expiresMs {
			proven = false
		}
	}
	if proven {
		k.peers[from].out.add(e.out)
		if e.from >= 0 {
			k.peers[e.from].in.add(e.in)
		}
		if e.packet != nil {
			w.oracle.book(e.packet, e.link, e.out)
		}
	} else {
		if w.faults.active(Liquidity) {
			k.liquidity += min(e.in, ^k.liquidity)
		}
		if m.kind == stream.Fulfill {
			// Not a proof: nobody is owed anything, and upstream hears so.
			r := w.newMessage(stream.Reject, 0, ilp.RejectLen(len(k.name), 0, 0))
			ilp.PutReject(r.buf, ilp.F05, k.name, nil, 0)
			r.packet = m.packet
			w.free(m)
			m = r
		}
	}
	if e.from < 0 {
		w.free(m)
		return
	}
	m.packet = e.packet
	m.request = e.request
	k.tamper(&e, m)
}

// answerData is the data of a fulfill or a reject; nil when it is neither.
func answerData(m *message) []byte {
	if m.kind == stream.Fulfill {
		if p, err := ilp.ParseFulfill(m.buf); err == nil {
			return p.Data()
		}
	} else if p, err := ilp.ParseReject(m.buf); err == nil && m.kind == stream.Reject {
		return p.Data()
	}
	return nil
}

// sweep rejects what has expired.
func (k *connector) sweep() {
	now := k.nowMs()
	for i := range k.pending {
		e := &k.pending[i]
		if !e.used || now < e.expiresMs {
			continue
		}
		if e.from >= 0 && (k.peers[e.from].socket.epoch == e.fromEpoch || k.answersOld) {
			m := k.w.newMessage(stream.Reject, e.request, ilp.RejectLen(len(k.name), 0, 0))
			ilp.PutReject(m.buf, ilp.R00, k.name, nil, 0)
			m.packet = e.packet
			k.send(e.from, m)
		}
		k.release(i)
	}
	k.sweeps = k.live > 0
	if k.sweeps {
		k.w.schedule(k.w.now+5e8, evSweep, int32(k.id), 0, nil)
	}
}

// maxFrom is the maximum packet amount in the units of a peer.
func (k *connector) maxFrom(from int) uint64 {
	if k.peers[from].upstream {
		return k.maxPacket
	}
	m, ok := mulDiv(k.maxPacket, k.num, k.den)
	if !ok {
		return ^uint64(0)
	}
	return max(m, 1)
}

// convert is what goes on of an amount; false when it does not fit 64 bits.
func (k *connector) convert(from, to int, amount uint64) (uint64, bool) {
	a, b := k.peers[from].upstream, k.peers[to].upstream
	switch {
	case a && !b:
		return mulDiv(amount, k.num, k.den)
	case !a && b:
		return mulDiv(amount, k.den, k.num)
	}
	return amount, true
}
