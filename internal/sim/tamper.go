package sim

import (
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// tamper does to an answer what the swarm says, and sends it.
func (k *connector) tamper(e *pending, m *message) {
	w, f := k.w, k.w.faults
	if s := k.peers[e.from].socket; s.epoch != e.fromEpoch && !k.answersOld {
		w.free(m)
		return
	}
	if f.on == 0 || f.healed {
		k.send(e.from, m)
		return
	}
	if f.hits(Drop) {
		w.free(m)
		return
	}
	if m.kind == stream.Fulfill && f.hits(RejectFulfilled) {
		k.say(e.from, m, ilp.T00, nil)
		return
	}
	if m.kind == stream.Fulfill && f.hits(WrongPreimage) {
		p, _ := ilp.ParseFulfill(m.buf)
		p.Fulfillment()[f.r.IntN(32)] ^= 1 << f.r.IntN(8)
	}
	if m.kind != stream.Failure {
		k.tamperData(m)
	}
	if f.hits(AnswerTwice) {
		c := w.clone(m)
		c.peer = e.from
		w.schedule(w.now+between(f.r, 1, 5e9), evEmit, int32(k.id), 0, c)
	}
	m.peer = e.from
	switch {
	case f.hits(Late):
		w.schedule(w.now+between(f.r, 1e9, 45e9), evEmit, int32(k.id), 0, m)
	case f.hits(Reorder):
		w.schedule(w.now+between(f.r, 1e6, 3e9), evEmit, int32(k.id), 0, m)
	default:
		k.send(e.from, m)
	}
}

// tamperData changes the data of an answer.
func (k *connector) tamperData(m *message) {
	f := k.w.faults
	data := answerData(m)
	replace := func(d []byte) {
		var b []byte
		if m.kind == stream.Fulfill {
			p, _ := ilp.ParseFulfill(m.buf)
			b, _ = ilp.AppendFulfill(nil, (*[32]byte)(p.Fulfillment()), d)
		} else {
			p, _ := ilp.ParseReject(m.buf)
			b, _ = ilp.AppendReject(nil, p.Code(), p.TriggeredBy(), nil, d)
		}
		m.buf = append(m.buf[:0], b...)
		m.clean = false
	}
	switch {
	case len(data) > 0 && f.hits(CorruptData):
		data[f.r.IntN(len(data))] ^= 1 << f.r.IntN(8)
		m.clean = false
	case len(data) > 0 && f.hits(StripReply):
		replace(nil)
	case f.hits(ReplaceReply):
		d := make([]byte, 28+f.r.IntN(100))
		for i := range d {
			d[i] = byte(f.r.Uint32())
		}
		replace(d)
	case len(data) > 0 && f.active(SwapReply):
		last := k.lastData
		k.lastData = append([]byte(nil), data...)
		if len(last) > 0 && f.hits(SwapReply) {
			replace(last)
		}
	case m.kind == stream.Fulfill && len(data) > 0 && f.hits(RetypeReply):
		b, _ := ilp.AppendReject(nil, ilp.F99, k.name, nil, data)
		m.buf, m.kind = append(m.buf[:0], b...), stream.Reject
	}
}
