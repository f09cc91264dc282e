package sim

import (
	"bytes"
	"fmt"

	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// lastMove marks the move of a healthy path, for which nobody plans another.
const lastMove = 1 << 8

// moveNext gives a client another address, or has it ask for the one it has, and
// plans the next time, unless it is the last.
func (w *World) moveNext(n *node, f Fault, last bool) {
	if w.phase != phaseSafety && !last || w.phase > phaseLive {
		return
	}
	if !last {
		w.schedule(w.now+w.gap(f), evMove, int32(n.id), uint64(f), nil)
	}
	p := n.ports[w.faults.r.IntN(len(n.ports))]
	if f == NewAddress {
		w.count[NewAddress]++
		p.move()
	}
	n.ask(p)
}

// move gives a link another address. The connectors keep the one before for a
// while.
func (p *port) move() {
	w := p.n.w
	p.moves++
	keep := between(w.faults.r, 0, 20e9)
	if w.faults.healed {
		keep = 20e9 // time enough to tell
	}
	p.former, p.formerUntil = p.address, w.now+keep
	p.address = fmt.Appendf(nil, "test.n%d%c%d", p.n.id, 'a'+p.i, p.moves)
}

// routes says whether the connectors bring packets for an address to the link.
func (p *port) routes(address []byte) bool {
	return below(address, p.address) || p.n.w.now < p.formerUntil && below(address, p.former)
}

// ask has the machine ask the connector for the link's address.
func (n *node) ask(p *port) {
	if n.down || !p.up {
		return
	}
	p.asked = n.w.now
	n.begin()
	_ = n.d.AskConfig(n.now(), p.link, n)
	n.settle()
}

// knows says whether the machine has the link's address, and no answer that was
// given before all was healed can tell it another.
func (p *port) knows() bool {
	w := p.n.w
	if w.faults.on.Has(FalseAddress) && w.faults.healed && (p.asked < w.since || p.answered < p.asked) {
		return false
	}
	return bytes.Equal(p.told, p.address)
}

// askAgain asks where the answer was lost, or was a false one.
func (n *node) askAgain() {
	if !n.client {
		return
	}
	for _, p := range n.ports {
		if !p.knows() && (n.w.now-p.asked > 5e9 || p.asked < n.w.since) {
			n.ask(p)
		}
	}
}

// configured notes the address that the machine was told, and where its
// connections are from here on.
func (n *node) configured(h stream.LinkHandle) {
	p := n.portOf(h)
	info, _ := n.d.m.LinkInfo(h)
	p.told = bytes.Clone(info.Address)
	p.answered = n.w.now
	for _, c := range n.conns {
		if !c.client || c.oc.ports[0] != p {
			continue
		}
		if i, ok := n.d.m.ConnInfo(c.h); ok {
			n.w.oracle.at(i.Local, c.in())
		}
	}
}

// configure answers a link that asks for its address.
func (k *connector) configure(from int, m *message) {
	w, f := k.w, k.w.faults
	p := k.peers[from].port
	if p == nil {
		k.say(from, m, ilp.F00, nil)
		return
	}
	address := p.address
	if f.hits(FalseAddress) {
		switch n := w.nodes[f.r.IntN(len(w.nodes))]; f.r.IntN(4) {
		case 0:
			address = []byte("test.nobody")
		case 1:
			address = []byte("no address!")
		default: // another's, or its own or that of its other link
			address = n.ports[f.r.IntN(len(n.ports))].address
		}
	}
	data := ildcp.AppendResponseData(nil, ildcp.Config{Address: address, AssetScale: uint8(p.n.id), AssetCode: []byte("USD")})
	b, err := ilp.AppendFulfill(nil, &ilp.PeerFulfillment, data)
	if err != nil {
		panic(err)
	}
	a := w.newMessage(stream.Fulfill, m.request, len(b))
	copy(a.buf, b)
	w.free(m)
	k.send(from, a)
}
