package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// build makes the world that a seed describes.
func (w *World) build() {
	seed := w.cfg.Seed
	w.tie, w.net = fork(seed, "tie"), fork(seed, "net")
	w.rejects = map[ilp.Code]uint64{}
	w.faults = newSwarm(seed, w.cfg.Faults, &w.count)
	w.oracle = &oracle{w: w, address: map[string]*flow{}, honest: w.faults.on&hostile == 0}
	w.serverOptions = map[int]stream.Options{}
	r := fork(seed, "topology")
	w.vector = []int{1, 4, 16, 64}[r.IntN(4)]
	w.amountMax = []uint64{1000, 1e6, 1e12, 1 << 62, ^uint64(0)}[r.IntN(5)]
	w.safety = between(r, 40e9, 240e9)
	if w.cfg.MaxSafety > 0 {
		w.safety = min(w.safety, w.cfg.MaxSafety)
	}
	w.buildConnectors(r)
	senders, receivers := 1+r.IntN(3), 1+r.IntN(2)
	skew := []int64{0, 2e8, 5e9}[r.IntN(3)]
	for i := range senders + receivers {
		at := w.connectors[0]
		if i >= senders {
			at = w.connectors[len(w.connectors)-1]
		}
		w.addNode(fork(seed, fmt.Sprint("node ", i)), at, i < senders, skew)
	}
	for i := range w.nodes {
		w.connectRoutes(w.nodes[i])
	}
	w.start(r)
}

func (w *World) buildConnectors(r *rand.Rand) {
	for i := range 1 + r.IntN(2) {
		k := &connector{w: w, id: i, r: fork(w.cfg.Seed, fmt.Sprint("connector ", i)), name: []byte(fmt.Sprintf("test.k%d", i))}
		k.num, k.den = 1000, 1000
		if r.IntN(2) == 0 {
			k.num = logUniform(r, 10, 100_000)
		}
		k.baseNum = k.num
		k.maxPacket = logUniform(r, 1+w.amountMax/1000, w.amountMax)
		k.window = between(r, 0, 1000)
		k.numbers, k.zeroIsR01, k.answersOld = r.IntN(3) > 0, r.IntN(2) == 0, r.IntN(2) == 0
		k.liquidity = w.amountMax
		k.clock = clock{between(r, -2e8, 2e8), between(r, -200, 200)}
		w.connectors = append(w.connectors, k)
	}
	if len(w.connectors) == 2 {
		a, b := w.connectors[0], w.connectors[1]
		s := w.newSocket(end{k: a, peer: 0}, end{k: b, peer: 0}, int64(logUniform(r, 1e5, 1e8)), between(r, 0, 1e7))
		a.peers = append(a.peers, peer{socket: s, side: 0})
		b.peers = append(b.peers, peer{socket: s, side: 1, upstream: true})
	}
}

// connectRoutes enters a node into every connector's routes.
func (w *World) connectRoutes(n *node) {
	for _, k := range w.connectors {
		for len(k.route) <= n.id {
			k.route = append(k.route, 0) // the other connector
		}
	}
	n.k.route[n.id] = n.socket.ends[1].peer
}

// addNode makes an end point with a link to a connector.
func (w *World) addNode(r *rand.Rand, k *connector, client bool, skew int64) {
	n := &node{
		w: w, id: len(w.nodes), r: r, k: k, linkUp: true, room: 1 << 20,
		inbound: map[uint32]*inbound{}, byConn: map[stream.ConnHandle]*appConn{}, byStream: map[stream.StreamHandle]*appStream{},
		margin: between(r, 0, 5e8), grace: between(r, 1e9, 6e9), lazy: r.IntN(4) == 0,
	}
	n.clock = clock{between(r, -skew, skew), between(r, -200, 200)}
	n.asks, n.ledger = r.IntN(3) == 0, r.IntN(2) == 0
	cfg := stream.Config{
		Decide: n.asks, Ledger: n.ledger, FulfillMargin: max(n.margin, 1), ExpiryMargin: n.grace,
		MaxConnections: 256, MaxStreams: 1024, MaxRequests: 8192, MaxHolds: []int{8, 512}[r.IntN(2)], MaxTombstones: 256,
		MaxBuffered: []int{200_000, 16 << 20}[r.IntN(2)],
	}
	n.margin = cfg.FulfillMargin
	for i := range cfg.Seed {
		cfg.Seed[i] = byte(r.Uint32())
	}
	n.recvMax = []uint64{0, w.amountMax / 8, ^uint64(0), ^uint64(0)}[r.IntN(4)]
	n.tokens, _ = stream.NewTokens(serverSecret)
	options := w.options(n, false)
	options.ReceiveMax = stream.Amount(n.recvMax)
	w.serverOptions[n.id] = options
	peerNo := len(k.peers)
	n.socket = w.newSocket(end{node: n}, end{k: k, peer: peerNo}, int64(logUniform(r, 1e5, 1e8)), between(r, 0, 1e7))
	k.peers = append(k.peers, peer{socket: n.socket, side: 1, upstream: client})
	window := []int{0, 8, 64}[r.IntN(3)]
	make := func() (*stream.Machine, stream.LinkHandle) {
		m := stream.New(cfg)
		if w.cfg.prepare != nil {
			w.cfg.prepare(m)
		}
		lc := stream.LinkConfig{Address: []byte(fmt.Sprintf("test.n%d", n.id)), AssetCode: []byte("USD"), AssetScale: uint8(n.id), Account: 1, Window: window}
		if !client {
			id, err := m.AddServer(stream.ServerConfig{Tokens: n.tokens, Options: options})
			if err != nil {
				panic(err)
			}
			lc.Server, n.server = id, id
		}
		h, err := m.AddLink(lc)
		if err != nil {
			panic(err)
		}
		return m, h
	}
	n.d.n = n
	n.d.m, n.link = make()
	if r.IntN(8) == 0 {
		n.d.tape = &tape{make: func() *stream.Machine { m, _ := make(); return m }}
	}
	w.nodes = append(w.nodes, n)
	if client {
		w.clients = append(w.clients, n)
	} else {
		w.servers = append(w.servers, n)
	}
}

// options draws the options of a connection.
func (w *World) options(n *node, calm bool) stream.Options {
	r := n.r
	o := stream.Options{
		SlippagePPM: []int{0, -1, 50_000, 500_000}[r.IntN(4)], StreamWindow: []int{16384, 65536}[r.IntN(2)],
		ConnectionWindow: []int{65534, 1 << 20}[r.IntN(2)], SendBuffer: []int{4096, 262144}[r.IntN(2)],
		MaxInFlight: []int{1, 8, 64, 0}[r.IntN(4)], IdleTimeout: []int64{0, 120e9}[r.IntN(2)], SleepAfter: []int64{0, 1e9, -1}[r.IntN(3)],
		Expiry: []int64{0, 20e9, 60e9}[r.IntN(3)], ReceiveMax: stream.Amount([]uint64{0, ^uint64(0)}[r.IntN(2)]), MaxRemoteStreams: []int{0, 2, 10}[r.IntN(3)],
	}
	if r.IntN(4) == 0 {
		o.MaxPacketAmount = stream.Amount(logUniform(r, 1+w.amountMax/500, w.amountMax))
	}
	if r.IntN(60) == 0 {
		o.Padding = true
	}
	o.Congestion = []stream.Congestion{stream.CongestionAIMD, stream.CongestionAIMD, stream.CongestionDelay, stream.CongestionDelay, stream.CongestionSerial}[r.IntN(5)]
	if r.IntN(6) == 0 {
		o.MaxInFlightAmount = stream.Amount(logUniform(r, 1+w.amountMax/100, w.amountMax))
	}
	if r.IntN(6) == 0 {
		o.MaxInFlightOctets = int(logUniform(r, 1000, 100_000))
	}
	if r.IntN(16) == 0 {
		o.PacketsPerSecond = int(logUniform(r, 20, 5000))
	}
	if r.IntN(4) == 0 {
		o.MaxStreamWindow = int(logUniform(r, 16384, 1<<20))
	}
	if r.IntN(8) == 0 && !calm { // a fixed rate, which the path may keep or not
		o.RateNum, o.RateDen = logUniform(r, 1, 1000), logUniform(r, 1, 1000)
	}
	if r.IntN(60) == 0 {
		o.Padding = true
	}
	o.Congestion = []stream.Congestion{stream.CongestionAIMD, stream.CongestionAIMD, stream.CongestionDelay, stream.CongestionDelay, stream.CongestionSerial}[r.IntN(5)]
	if r.IntN(6) == 0 {
		o.MaxInFlightAmount = stream.Amount(logUniform(r, 1+w.amountMax/100, w.amountMax))
	}
	if r.IntN(6) == 0 {
		o.MaxInFlightOctets = int(logUniform(r, 1000, 100_000))
	}
	if r.IntN(16) == 0 {
		o.PacketsPerSecond = int(logUniform(r, 20, 5000))
	}
	if r.IntN(4) == 0 {
		o.MaxStreamWindow = int(logUniform(r, 16384, 1<<20))
	}
	if r.IntN(8) == 0 && !calm { // a fixed rate, which the path may keep or not
		o.RateNum, o.RateDen = logUniform(r, 1, 1000), logUniform(r, 1, 1000)
	}
	if calm {
		o.SlippagePPM, o.RetryFor, o.MinRatePrecision, o.MaxPacketAmount, o.MaxInFlightAmount = 50_000, 300e9, 1, 0, 0
		for _, k := range w.connectors {
			if k.num != k.den {
				o.SlippagePPM = 1_000_000 // a small rest loses more than any slippage to rounding
			}
		}
	}
	return o
}

// amount draws what a stream sends in all.
func (w *World) amount(r *rand.Rand) uint64 {
	switch k := w.connectors[0]; r.IntN(16) {
	case 0:
		return w.amountMax
	case 1, 2, 3, 4, 5, 6, 7, 8:
		packets := logUniform(r, 1, 1000)
		return k.maxPacket * min(packets, w.amountMax/k.maxPacket)
	}
	return logUniform(r, 1, w.amountMax)
}

// start schedules what happens in the first phase.
func (w *World) start(r *rand.Rand) {
	for _, n := range w.clients {
		for range 1 + r.IntN(3) {
			w.schedule(between(r, 0, w.safety/2), evConnect, int32(n.id), 0, nil)
		}
	}
	for _, n := range w.nodes {
		w.schedule(between(r, 0, 1e9), evApp, int32(n.id), 0, nil)
		n.arm()
	}
	on := w.faults.on
	for _, s := range w.sockets {
		if on.Has(Cut) {
			w.schedule(w.gap(Cut), evCut, int32(s.id), 0, nil)
		}
		if on.Has(BlackHole) {
			w.schedule(w.gap(BlackHole), evBlackHole, int32(s.id), 1, nil)
		}
	}
	if on.Has(RateStep) || on.Has(RateDrift) || on.Has(MaxPacket) || on.Has(Liquidity) {
		for _, k := range w.connectors {
			w.schedule(between(r, 1e8, 5e9), evDrift, int32(k.id), 0, nil)
		}
	}
	if on.Has(ClockJump) {
		for _, n := range w.nodes {
			w.schedule(w.gap(ClockJump), evJump, int32(n.id), 0, nil)
		}
	}
	w.schedule(w.safety, evPhase, 0, 0, nil)
}
