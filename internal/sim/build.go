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
	w.oracle = &oracle{w: w, address: map[string]*place{}, honest: w.faults.on&hostile == 0}
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
	w.plan()
	w.schedule(w.safety, evPhase, 0, 0, nil)
}
