package main

import (
	"math"
	"strconv"
	"time"

	"github.com/millrace-ilp/millrace/internal/nullengine"
	"github.com/millrace-ilp/millrace/profiles"
)

// result is the JSON object of a run.
type result struct {
	RoundTrips          uint64      `json:"round_trips"`
	RoundTripsPerSecond float64     `json:"round_trips_per_second"`
	CPU                 cpuFigures  `json:"cpu_ns_per_round_trip"`
	Latency             latency     `json:"latency_ns"`
	Rejects             rejects     `json:"rejects"`
	Sent                string      `json:"sent"`     // all of the run, not only the measured time
	Received            string      `json:"received"` // the same
	MoneyAgrees         bool        `json:"money_agrees"`
	Allocs              float64     `json:"allocs_per_round_trip"`
	FramesPerWrite      float64     `json:"frames_per_write"`
	PacketsPerVector    float64     `json:"packets_per_vector"`
	MeasuredSeconds     float64     `json:"measured_seconds"`
	Interrupted         bool        `json:"interrupted"`
	Failure             string      `json:"failure,omitempty"`
	Null                *nullFigure `json:"null"` // null where the null engine cannot run
	Config              shape       `json:"config"`
	Machine             machine     `json:"machine"`
	Version             string      `json:"version"`
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

// latency is the time from a packet's writing to its verified fulfillment.
type latency struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

// nullFigure is what the null engine did in the same run.
type nullFigure struct {
	MessagesPerSecond float64 `json:"messages_per_second"`
	CPUPerMessage     float64 `json:"cpu_ns_per_message"`
	FramesPerWrite    float64 `json:"frames_per_write"`
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
	Processes    int               `json:"processes"`
	Loops        int               `json:"loops"` // event loops of each end
}

func (c config) shape() shape {
	p := c.profile
	return shape{p.Name, p.Links, p.Connections, p.Window, p.PacketAmount, p.Duration, p.WarmUp, c.processes, loopsPerEnd()}
}

// measured is what a run has to report on.
type measured struct {
	window      time.Duration
	sender      sample // over the window
	receiver    sample // over the window
	latency     latency
	sent        uint64 // of the whole run, after draining
	received    uint64
	interrupted bool
	failure     error
}

// figures computes what is reported. In one process both samples hold the CPU
// and the allocations of both ends.
func (m measured) figures(cfg config) result {
	trips := m.sender.SentPackets
	user, system, allocs := m.sender.User, m.sender.System, m.sender.Allocs
	r := result{
		RoundTrips: trips, Latency: m.latency, Rejects: m.sender.RejectsIn,
		Sent: strconv.FormatUint(m.sent, 10), Received: strconv.FormatUint(m.received, 10),
		MoneyAgrees:      m.sent == m.received,
		FramesPerWrite:   ratio(m.sender.FramesOut+m.receiver.FramesOut, m.sender.Writes+m.receiver.Writes),
		PacketsPerVector: ratio(m.sender.PacketsIn+m.receiver.PacketsIn, m.sender.Vectors+m.receiver.Vectors),
		MeasuredSeconds:  rounded(m.window.Seconds(), 3),
		Interrupted:      m.interrupted,
		Config:           cfg.shape(), Machine: thisMachine(), Version: version(),
	}
	if r.Rejects == nil {
		r.Rejects = rejects{}
	}
	if m.window > 0 {
		r.RoundTripsPerSecond = rounded(float64(trips)/m.window.Seconds(), 1)
	}
	if cfg.processes > 1 {
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
	if m.failure != nil {
		r.Failure = m.failure.Error()
	}
	return r
}

// good says whether the run ends with status 0.
func (r result) good() bool { return r.MoneyAgrees && r.Failure == "" }

func figureOf(r nullengine.Result) nullFigure {
	return nullFigure{rounded(r.MessagesPerSecond(), 1), rounded(r.CPUPerMessage(), 1), rounded(r.FramesPerWrite(), 1)}
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
