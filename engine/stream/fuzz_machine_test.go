package stream

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// script is the input of a fuzzed machine: what happens next, octet by octet.
type script []byte

func (t *script) octet() byte {
	if len(*t) == 0 {
		return 0
	}
	b := (*t)[0]
	*t = (*t)[1:]
	return b
}

// number is one of many sizes, and often at the edge of something.
func (t *script) number() uint64 {
	switch b := t.octet(); b % 8 {
	case 0:
		return uint64(b / 8)
	case 1:
		return math.MaxUint64 - uint64(b/8)
	case 2:
		return 1<<(b/8) - 1
	case 3:
		return 1 << (2 * (b / 8))
	case 4:
		return uint64(t.octet())<<8 | uint64(b/8)
	default:
		return 1000 * uint64(b)
	}
}

func (t *script) octets(n int) []byte {
	n = min(n, len(*t))
	b := (*t)[:n]
	*t = (*t)[n:]
	return b
}

func (t *script) frame() appender {
	id := uint64(t.octet() % 12)
	switch t.octet() % 16 {
	case 0, 1, 2:
		return frame.StreamMoney{StreamID: id, Shares: t.number()}
	case 3, 4:
		return frame.StreamData{StreamID: id, Offset: t.number(), Data: t.octets(int(t.octet()))}
	case 5, 6:
		return frame.StreamMaxMoney{StreamID: id, ReceiveMax: Amount(t.number()), TotalReceived: Amount(t.number())}
	case 7:
		return frame.StreamClose{StreamID: id, Code: frame.ErrorCode(t.octet()), Message: t.octets(int(t.octet()))}
	case 8:
		return frame.StreamMaxData{StreamID: id, MaxOffset: t.number()}
	case 9:
		return frame.StreamReceipt{StreamID: id, Receipt: t.octets(58)}
	case 10:
		return frame.ConnectionNewAddress{Address: []byte("test.hub.moved")[:4+t.octet()%11]}
	case 11:
		return frame.ConnectionMaxStreamID{MaxStreamID: t.number()}
	case 12:
		return frame.ConnectionMaxData{MaxOffset: t.number()}
	case 13:
		return frame.StreamMoneyBlocked{StreamID: id, SendMax: Amount(t.number()), TotalSent: Amount(t.number())}
	case 14:
		return frame.ConnectionAssetDetails{AssetCode: t.octets(3), Scale: t.octet()}
	default:
		return frame.ConnectionClose{Code: frame.ErrorCode(t.octet()), Message: t.octets(int(t.octet()))}
	}
}

// plaintext is a STREAM packet: sound frames, or whatever the script holds.
func (t *script) plaintext(kind ilp.PacketType, sequence Sequence, amount Amount) []byte {
	n := int(t.octet())
	if n%8 == 7 {
		b, countAt := frame.AppendHeader(nil, kind, sequence, amount)
		frame.SetCount(b, countAt, n%5)
		return append(b, t.octets(n)...)
	}
	frames := make([]appender, n%8)
	for i := range frames {
		frames[i] = t.frame()
	}
	return streamText(kind, sequence, amount, frames...)
}

// perform does what one octet of the script says.
func (d *duel) perform(t *script) {
	x := d.ends[t.octet()%2]
	switch op := t.octet() % 32; op {
	case 0, 1, 2, 3, 4:
		d.prepare(t, x)
	case 5:
		if n := len(d.prepares); n > 0 { // the very same again
			d.take(d.prepares[int(t.octet())%n])
		}
	case 6:
		if n := len(d.prepares); n > 0 { // an octet of it changed
			b := append([]byte(nil), d.prepares[int(t.octet())%n]...)
			b[int(t.octet())*len(b)/256] ^= 1 << (t.octet() % 8)
			d.take(b)
		}
	case 7:
		switch n := t.octet(); n % 8 {
		case 0:
			d.room = 1 << 20
		case 1:
			d.room = int(n) << 6
		case 2, 3:
			data := must(echo.AppendRequestData(nil, []byte("test.sender")))
			d.take(prepare("test.hub.node", Amount(t.number()), sha256.Sum256(make([]byte, 32)), d.now+Instant(n)*1e9, data))
		default:
			d.take(t.octets(int(n)))
		}
	case 8, 9, 10, 11, 12, 13, 14:
		d.answer(t)
	case 15:
		d.flush()
		d.wait(Instant(t.octet()) * 1e6)
	case 16:
		d.flush()
		d.wait(Instant(t.octet()) * 1e9)
	case 17:
		d.flush()
		if i, _ := d.m.LinkInfo(d.link); i.Up {
			d.m.LinkLost(d.now, d.link)
			d.linkLost()
		} else {
			d.m.LinkUp(d.now, d.link)
		}
	case 18:
		d.flush()
	case 19:
		d.flush()
		d.reconnect(t)
	default:
		d.flush()
		d.command(t, x, op)
	}
}

// prepare hands in an authentic packet of a peer's.
func (d *duel) prepare(t *script, x *end) {
	amount := Amount(t.number())
	required := amount
	switch t.octet() % 8 {
	case 0:
		required = Amount(t.number())
	case 1:
		amount = 0
		required = 0
	}
	sequence := x.next
	x.next++
	if t.octet()%16 == 0 {
		sequence = t.number()
	}
	data := x.peer.seal(t.plaintext(ilp.TypePrepare, sequence, required))
	_, condition := x.peer.prove(data)
	if t.octet()%16 == 0 {
		condition[3]++
	}
	expires := d.now + 30*second
	if t.octet()%16 == 0 {
		expires = d.now + Instant(t.octet())*10e6
	}
	d.made[string(data)] = authentic{x, sequence, required}
	b := prepare(x.address, amount, condition, expires, data)
	d.prepares = append(d.prepares, b)
	d.take(b)
}

// answer answers something that the machine waits for.
func (d *duel) answer(t *script) {
	id, q, ok := d.oldestRequest(t.octet())
	if !ok {
		return
	}
	reply := func(kind ilp.PacketType) []byte {
		switch b := t.octet(); b % 8 {
		case 0:
			return nil
		case 1:
			return t.octets(int(b))
		case 2:
			return q.end.peer.seal(t.plaintext(kind, q.sequence+uint64(b/8), Amount(t.number())))
		case 3:
			return q.end.peer.seal(t.plaintext(kind, q.sequence, Amount(t.number())))
		default:
			return q.end.peer.seal(t.plaintext(kind, q.sequence, q.amount))
		}
	}
	if q.end == nil {
		d.answerEcho(t, id)
		return
	}
	fulfillment, _ := q.end.peer.prove(q.data)
	e := Entry{Kind: Fulfill, Request: id}
	switch op := t.octet() % 16; {
	case op == 0:
		e.Kind = Failure
	case op == 1:
		fulfillment[9] ^= 1
		e.Packet = must(ilp.AppendFulfill(nil, &fulfillment, reply(ilp.TypeFulfill)))
	case op == 2:
		e.Packet = t.octets(40)
	case op < 10:
		e.Packet = must(ilp.AppendFulfill(nil, &fulfillment, reply(ilp.TypeFulfill)))
	default:
		e.Kind = Reject
		codes := [...]ilp.Code{ilp.F99, ilp.F99, ilp.F08, ilp.T00, ilp.T04, ilp.R01, ilp.F02, {'F', '4', '2'}}
		code := codes[t.octet()%8]
		data := reply(ilp.TypeReject)
		if code == ilp.F08 {
			data = ilp.AppendTooLarge(nil, Amount(t.number()), Amount(t.number()))
		}
		e.Packet = must(ilp.AppendReject(nil, code, []byte("test.hub"), nil, data))
	}
	d.takeEntry(e)
}

// answerEcho answers an echo, which 32 zero octets fulfill.
func (d *duel) answerEcho(t *script, id uint32) {
	e := Entry{Kind: Fulfill, Request: id, Packet: must(ilp.AppendFulfill(nil, &[32]byte{t.octet() % 2}, t.octets(3)))}
	if t.octet()%2 == 0 {
		e = Entry{Kind: Reject, Request: id, Packet: must(ilp.AppendReject(nil, ilp.T00, nil, nil, nil))}
	}
	d.takeEntry(e)
}

// command is a call of the application's.
func (d *duel) command(t *script, x *end, op byte) {
	c := x.conn
	var s StreamHandle
	if open := d.m.Streams(c, nil); len(open) > 0 {
		s = open[int(t.octet())%len(open)]
	}
	switch op {
	case 20, 21:
		_, _ = d.m.OpenStream(d.now, c)
	case 22, 23:
		limit := Amount(t.number())
		if i, ok := d.m.StreamInfo(s); ok && d.m.SetSendMax(d.now, s, limit) == nil {
			x.budget = satAdd(x.budget, floorSub(limit, i.SendMax))
		}
	case 24:
		_ = d.m.SetReceiveMax(d.now, s, Amount(t.number()))
	case 25:
		_ = d.m.SetDeliverMax(d.now, s, Amount(t.number()))
	case 26:
		_, _ = d.m.Write(d.now, s, make([]byte, t.number()%(1<<16)))
	case 27:
		var b [4096]byte
		_, _ = d.m.Read(d.now, s, b[:])
	case 28:
		_ = d.m.CloseStream(d.now, s)
	case 29:
		_ = d.m.DestroyStream(d.now, s, frame.ErrorCode(t.octet()), "enough")
	case 30:
		if t.octet()%4 == 0 {
			_ = d.m.CloseConn(d.now, c)
		} else {
			d.m.ReleaseStream(s)
		}
	default:
		if t.octet()%4 == 0 {
			_ = d.m.DestroyConn(d.now, c, frame.InternalError, "enough")
		}
	}
	d.turn()
}

// fight runs a script on a new machine, checks its books all along, and that nothing
// is left of it in the end.
func fight(t testing.TB, in script) {
	d := newDuel(t, in.octet())
	for len(in) > 0 && !t.Failed() {
		d.perform(&in)
	}
	d.finish()
}

func FuzzMachine(f *testing.F) {
	for seed := range uint64(8) {
		f.Add([]byte(randomScript(seed, 600)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) <= 1<<14 {
			fight(t, b)
		}
	})
}

func TestMachineKeepsItsBooksWhateverComes(t *testing.T) {
	rounds := uint64(400)
	if testing.Short() {
		rounds = 40
	}
	for seed := range rounds {
		fight(t, randomScript(seed, 3000))
		if t.Failed() {
			t.Fatalf("with script %d", seed)
		}
	}
}

func randomScript(seed uint64, n int) script {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make(script, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}
