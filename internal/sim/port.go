package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// port is one of a node's links: its account with a connector.
type port struct {
	n       *node
	i       int // among the node's
	k       *connector
	socket  *socket // its end is the first
	link    stream.LinkHandle
	window  int
	up      bool // as the machine was told
	inbound map[uint32]*inbound

	address     []byte // below which the connectors route packets to it
	former      []byte // the one before
	formerUntil int64
	moves       int
	told        []byte // as the machine knows it
	asked       int64  // when it last asked
	answered    int64
}

// inbound is a prepare that a node's machine was handed.
type inbound struct {
	packet    *packet
	amount    uint64
	expiresMs int64
	clean     bool
	condition [32]byte
	epoch     uint32
	answers   int
	known     bool
}

// addPort gives a node a link to a connector.
func (n *node) addPort(r *rand.Rand, k *connector) {
	w := n.w
	p := &port{n: n, i: len(n.ports), k: k, up: true, inbound: map[uint32]*inbound{}, window: []int{0, 8, 64}[r.IntN(3)]}
	p.address = fmt.Appendf(nil, "test.n%d%c", n.id, 'a'+p.i)
	p.socket = w.newSocket(end{port: p}, end{k: k, peer: len(k.peers)}, int64(logUniform(r, 1e5, 1e8)), between(r, 0, 1e7))
	k.peers = append(k.peers, peer{socket: p.socket, side: 1, upstream: n.client, port: p})
	n.ports = append(n.ports, p)
}

// portOf is the port that a link of the machine is.
func (n *node) portOf(h stream.LinkHandle) *port {
	for _, p := range n.ports {
		if p.link == h {
			return p
		}
	}
	panic("sim: no such link")
}

func (p *port) lost() {
	if p.up {
		p.up = false
		p.n.d.LinkLost(p.n.now(), p.link)
		p.n.settle()
	}
}

func (p *port) comesUp() {
	p.lost()
	p.up = true
	p.n.d.LinkUp(p.n.now(), p.link)
	p.n.settle()
}

// below says whether an address is below a link's.
func below(address, link []byte) bool {
	return len(address) > len(link) && address[len(link)] == '.' && string(address[:len(link)]) == string(link)
}

// lookUp is the peer that leads to an address, or -1.
func (k *connector) lookUp(address []byte) int {
	const prefix = len("test.n")
	if len(address) < prefix+3 || string(address[:prefix]) != "test.n" {
		return -1
	}
	n, i := int(address[prefix])-'0', int(address[prefix+1])-'a'
	if n < 0 || n >= len(k.w.nodes) || i < 0 || i >= len(k.w.nodes[n].ports) {
		return -1
	}
	p := k.w.nodes[n].ports[i]
	switch {
	case !p.routes(address):
		return -1
	case p.k == k:
		return p.socket.ends[1].peer
	}
	return 0 // the other connector
}
