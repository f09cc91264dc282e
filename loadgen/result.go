package main

import (
	"math"
	"strconv"
	"time"

	"github.com/millrace-ilp/millrace/internal/nullengine"
	"github.com/millrace-ilp/millrace/profiles"
)

// The two ways to load: as soon as an answer comes, or at instants fixed beforehand.
const (
	closedLoop = "closed"
	openLoop   = "open"
)

// result is the JSON object of a run.
type result struct {
	RoundTrips          uint64          `json:"round_trips"`
	RoundTripsPerSecond float64         `json:"round_trips_per_second"`
	CPU                 cpuFigures      `json:"cpu_ns_per_round_trip"`
	Loop                string          `json:"loop"` // what Latency is of: "closed" or "open"
	Latency             latency         `json:"latency_ns"`
	Open                *openFigures    `json:"open_loop"` // null in a closed loop
	Data                *dataFigures    `json:"data"`      // null when money is sent
	Opening             *openingFigures `json:"opening"`
	Asleep              *asleepFigures  `json:"asleep"`  // with -sleep
	Profile             *profileFigures `json:"profile"` // null without -profile
	Rejects             rejects         `json:"rejects"`
	Sent                string          `json:"sent"`     // all of the run, not only the measured time
	Received            string          `json:"received"` // the same
	MoneyAgrees         bool            `json:"money_agrees"`
	Allocs              float64         `json:"allocs_per_round_trip"`
	Collector           perEnd          `json:"collector_percent_of_cpu"` // of each end's own CPU time, at most
	Collections         perEnd          `json:"collections"`
	FramesPerWrite      float64         `json:"frames_per_write"`
	PacketsPerVector    float64         `json:"packets_per_vector"`
	MeasuredSeconds     float64         `json:"measured_seconds"`
	Interrupted         bool            `json:"interrupted"`
	Failure             string          `json:"failure,omitempty"`
	Null                *nullFigure     `json:"null"`           // null where the null engine cannot run
	NullOpen            *nullFigure     `json:"null_open_loop"` // at the same arrivals; null in a closed loop
	Config              shape           `json:"config"`
	Machine             machine         `json:"machine"`
	Version             string          `json:"version"`
}

// cpuFigures is CPU time in nanoseconds per round trip. One process cannot tell
// its sender from its receiver: then those two are null.
type cpuFigures struct {
	Sender   *float64 `json:"sender"`
	Receiver *float64 `json:"receiver"`
	Total    float64  `json:"total"`
	User     float64  `json:"user"`
	System   float64  `json:"system"`
}

// latency is in a closed loop the time from a packet's writing to its verified
// fulfillment, in an open loop that from when it was due.
type latency = nullengine.Latency

// openFigures is how well an open loop was kept.
type openFigures struct {
	Rate       float64 `json:"rate"`
	Arrivals   string  `json:"arrivals"`
	Due        uint64  `json:"due"`        // in the measured time
	Behind     uint64  `json:"behind"`     // allowed to go 100 µs or more after they were due
	Unanswered uint64  `json:"unanswered"` // even ten seconds later: their latencies are at least that
	Lag        latency `json:"lag_ns"`     // from being due to being allowed to go: a part of the latency
	Pacing     float64 `json:"pacing_cpu_ns_per_round_trip"`
}

// nullFigure is what the null engine did in the same run.
type nullFigure struct {
	MessagesPerSecond float64  `json:"messages_per_second"`
	CPUPerMessage     float64  `json:"cpu_ns_per_message"`
	FramesPerWrite    float64  `json:"frames_per_write"`
	Loop              string   `json:"loop"`
	Latency           *latency `json:"latency_ns,omitempty"` // of an open loop, and with a window of 1
	Behind            uint64   `json:"behind,omitempty"`
}

// nullResult is the JSON object of -null.
type nullResult struct {
	Null    nullFigure `json:"null"`
	Config  shape      `json:"config"`
	Machine machine    `json:"machine"`
	Version string     `json:"version"`
}

// shape is what was run.
type shape struct {
	Profile      string            `json:"profile"`
	Links        int               `json:"links"`
	Connections  int               `json:"connections"`
	Window       int               `json:"window"`
	PacketAmount uint64            `json:"packet_amount"`
	Duration     profiles.Duration `json:"duration"`
	WarmUp       profiles.Duration `json:"warm_up"`
	Rate         float64           `json:"rate"`     // round trips a second that are due; 0 in a closed loop
	Arrivals     string            `json:"arrivals"` // constant or poisson
	Delay        profiles.Duration `json:"delay"`    // of the path, there and back
	Data         uint64            `json:"data"`     // octets of each connection, instead of money
	Order        string            `json:"order"`    // in which connections are used: random or opened
	Probe        bool              `json:"probe"`    // connections discover their rate
	Reserve      bool              `json:"reserve"`  // memory for them is made ready before
	Sleep        profiles.Duration `json:"sleep"`    // after which a quiet connection sleeps; 0 means the usual
	Processes    int               `json:"processes"`
	Loops        int               `json:"loops"` // event loops of each end
	// CPUs are the processors of the sender's loops, then those of the receiver's; null
	// where the system places them.
	CPUs []int `json:"loop_cpus"`
}

func (c config) shape() shape {
	p := c.profile
	loops := loopsPerEnd()
	return shape{
		Profile: p.Name, Links: p.Links, Connections: p.Connections, Window: p.Window, PacketAmount: p.PacketAmount,
		Duration: p.Duration, WarmUp: p.WarmUp, Rate: c.rate, Arrivals: c.arrivals, Delay: profiles.Duration(c.delay), Data: c.data, Order: c.order, Probe: c.probe, Reserve: c.reserve, Sleep: profiles.Duration(c.sleep), Processes: c.processes, Loops: loops, CPUs: c.cpus(2 * loops),
	}
}

// measured is what a run has to report on.
type measured struct {
	window      time.Duration
	sender      sample        // over the window
	receiver    sample        // over the window
	pacing      time.Duration // CPU time, in it
	octets      uint64        // of -data that arrived
	opening     *openingFigures
	asleep      *asleepFigures // of -sleep
	latency     latency
	open        *openFigures // of an open loop
	sent        uint64       // of the whole run, after draining
	received    uint64
	profiles    [][]byte
	interrupted bool
	failure     error
}

// figures computes what is reported. In one process both samples hold the CPU
// and the allocations of both ends.
func (m measured) figures(cfg config) result {
	trips := m.sender.SentPackets
	user, system, allocs := m.sender.User, m.sender.System, m.sender.Allocs
	apart := cfg.processes > 1
	r := result{
		RoundTrips: trips, Loop: closedLoop, Latency: m.latency, Open: m.open, Opening: m.opening, Asleep: m.asleep, Rejects: m.sender.RejectsIn,
		Sent: strconv.FormatUint(m.sent, 10), Received: strconv.FormatUint(m.received, 10),
		MoneyAgrees:      m.sent == m.received,
		FramesPerWrite:   ratio(m.sender.FramesOut+m.receiver.FramesOut, m.sender.Writes+m.receiver.Writes),
		PacketsPerVector: ratio(m.sender.PacketsIn+m.receiver.PacketsIn, m.sender.Vectors+m.receiver.Vectors),
		MeasuredSeconds:  rounded(m.window.Seconds(), 3),
		Interrupted:      m.interrupted,
		Config:           cfg.shape(), Machine: thisMachine(), Version: version(),
	}
	r.Data = m.dataFigures(cfg)
	if r.Rejects == nil {
		r.Rejects = rejects{}
	}
	if m.window > 0 {
		r.RoundTripsPerSecond = rounded(float64(trips)/m.window.Seconds(), 1)
	}
	r.Collector, r.Collections = m.collector(apart)
	if apart {
		s := perTrip(m.sender.User+m.sender.System, trips)
		v := perTrip(m.receiver.User+m.receiver.System, trips)
		r.CPU.Sender, r.CPU.Receiver = &s, &v
		user += m.receiver.User
		system += m.receiver.System
		allocs += m.receiver.Allocs
	}
	r.CPU.User, r.CPU.System, r.CPU.Total = perTrip(user, trips), perTrip(system, trips), perTrip(user+system, trips)
	if trips > 0 {
		r.Allocs = rounded(float64(allocs)/float64(trips), 4)
	}
	if m.open != nil {
		r.Loop, r.Open.Pacing = openLoop, perTrip(m.pacing, trips)
	}
	if m.failure != nil {
		r.Failure = m.failure.Error()
	}
	return r
}

// collector is the share of CPU time in percent that collecting garbage took, and how
// often that was done. A collection counts when it is done.
func (m measured) collector(apart bool) (percent, collections perEnd) {
	share := func(ends ...sample) float64 {
		var own, cpu time.Duration
		for _, s := range ends {
			own, cpu = own+s.Collector, cpu+s.User+s.System
		}
		if cpu <= 0 {
			return 0
		}
		return rounded(100*float64(own)/float64(cpu), 3)
	}
	if !apart {
		return perEnd{Total: share(m.sender)}, perEnd{Total: float64(m.sender.Collections)}
	}
	s, r := share(m.sender), share(m.receiver)
	sn, rn := float64(m.sender.Collections), float64(m.receiver.Collections)
	return perEnd{&s, &r, share(m.sender, m.receiver)}, perEnd{&sn, &rn, sn + rn}
}

// good says whether the run ends with status 0.
func (r result) good() bool { return r.MoneyAgrees && r.Failure == "" }

func figureOf(r nullengine.Result, open bool) nullFigure {
	n := nullFigure{
		MessagesPerSecond: rounded(r.MessagesPerSecond(), 1), CPUPerMessage: rounded(r.CPUPerMessage(), 1),
		FramesPerWrite: rounded(r.FramesPerWrite(), 1), Loop: closedLoop, Behind: r.Late,
	}
	if open {
		n.Loop = openLoop
	}
	if r.Latency != (latency{}) {
		n.Latency = &r.Latency
	}
	return n
}

func perTrip(cpu time.Duration, trips uint64) float64 {
	if trips == 0 {
		return 0
	}
	return rounded(float64(cpu)/float64(trips), 1)
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return rounded(float64(a)/float64(b), 2)
}

func rounded(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
