package sim

import (
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// addNode makes an end point with one or two links to connectors.
func (w *World) addNode(r *rand.Rand, k *connector, client bool, skew int64) {
	n := &node{w: w, id: len(w.nodes), r: r, client: client, room: 1 << 20, margin: between(r, 0, 5e8), grace: between(r, 1e9, 6e9), lazy: r.IntN(4) == 0}
	n.clock = clock{between(r, -skew, skew), between(r, -200, 200)}
	n.asks, n.ledger = r.IntN(3) == 0, r.IntN(2) == 0
	n.cfg = stream.Config{
		Decide: n.asks, Ledger: n.ledger, FulfillMargin: max(n.margin, 1), ExpiryMargin: n.grace,
		MaxConnections: 256, MaxStreams: 1024, MaxRequests: 8192, MaxHolds: []int{8, 512}[r.IntN(2)], MaxTombstones: 256,
		MaxBuffered: []int{200_000, 16 << 20}[r.IntN(2)],
	}
	n.margin = n.cfg.FulfillMargin
	n.recvMax = []uint64{0, w.amountMax / 8, ^uint64(0), ^uint64(0)}[r.IntN(4)]
	n.tokens, _ = stream.NewTokens(serverSecret)
	n.options = w.options(n, false)
	n.options.ReceiveMax = stream.Amount(n.recvMax)
	n.addPort(r, k)
	if r.IntN(3) == 0 {
		n.addPort(r, w.connectors[r.IntN(len(w.connectors))])
	}
	n.taped = r.IntN(8) == 0
	n.boot()
	w.nodes = append(w.nodes, n)
	if client {
		w.clients = append(w.clients, n)
	} else {
		w.servers = append(w.servers, n)
	}
}

// boot starts a node's process, which knows nothing of any earlier one.
func (n *node) boot() {
	cfg := n.cfg
	for i := range cfg.Seed {
		cfg.Seed[i] = byte(n.r.Uint32())
	}
	if n.w.cfg.mistake == sameSeed {
		cfg.Seed = [48]byte{byte(n.id)}
	}
	n.byConn, n.byStream = map[stream.ConnHandle]*appConn{}, map[stream.StreamHandle]*appStream{}
	var addresses [][]byte
	for _, p := range n.ports {
		p.told = p.address
		addresses = append(addresses, p.address)
	}
	n.d = driver{n: n, m: n.machine(cfg, addresses)}
	if n.taped {
		n.d.tape = &tape{make: func() *stream.Machine { return n.machine(cfg, addresses) }}
		n.w.tapes = append(n.w.tapes, n.d.tape)
	}
}

// machine makes a machine with the node's links and server. Handles are the same
// each time.
func (n *node) machine(cfg stream.Config, addresses [][]byte) *stream.Machine {
	m := stream.New(cfg)
	if n.w.cfg.prepare != nil {
		n.w.cfg.prepare(m)
	}
	if !n.client {
		id, err := m.AddServer(stream.ServerConfig{Tokens: n.tokens, Options: n.options})
		if err != nil {
			panic(err)
		}
		n.server = id
	}
	for _, p := range n.ports {
		h, err := m.AddLink(stream.LinkConfig{
			Address: addresses[p.i], AssetCode: []byte("USD"), AssetScale: uint8(n.id), Account: uint32(p.i + 1), Window: p.window, Server: n.server,
		})
		if err != nil {
			panic(err)
		}
		p.link = h
	}
	return m
}
