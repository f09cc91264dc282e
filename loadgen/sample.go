package main

import (
	"runtime/metrics"
	"time"

	"github.com/millrace-ilp/millrace/engine"
)

// sample is what one end had counted at a moment.
type sample struct {
	At          time.Time     `json:"at"`
	User        time.Duration `json:"user"` // CPU of the process, in nanoseconds
	System      time.Duration `json:"system"`
	Allocs      uint64        `json:"allocs"` // objects on the heap of the process
	Collections uint64        `json:"collections"`
	Collector   time.Duration `json:"collector"`    // CPU of the process, of the collections that were done
	LongestWake time.Duration `json:"longest_wake"` // of a loop, since it began
	Sent        uint64        `json:"sent"`         // verified by fulfillments
	SentPackets uint64        `json:"sent_packets"`
	Released    uint64        `json:"released"` // credited to us
	PacketsIn   uint64        `json:"packets_in"`
	Vectors     uint64        `json:"vectors"`
	FramesOut   uint64        `json:"frames_out"`
	Writes      uint64        `json:"writes"`
	Connections int           `json:"connections"`
	Folded      int           `json:"folded"` // of them, that sleep
	InFlight    int           `json:"in_flight"`
	Prepares    uint64        `json:"prepares"` // sent
	RejectsIn   rejects       `json:"rejects_in"`
	// Of the receiver of -data: octets that were right, when the last of them came,
	// and what was wrong.
	Octets uint64    `json:"octets,omitempty"`
	LastAt time.Time `json:"last_at,omitzero"`
	Wrong  string    `json:"wrong,omitempty"`
}

// rejects counts rejects by their ILP error code.
type rejects map[string]uint64

// take reads the counters of an engine and of this process.
func take(eng *engine.Engine) sample {
	st := eng.Stats()
	s := sample{
		Sent: uint64(st.Sent), SentPackets: st.SentPackets, Released: uint64(st.Released),
		PacketsIn: st.PacketsIn, Vectors: st.Vectors, FramesOut: st.Loops.FramesOut, Writes: st.Loops.Writes,
		Prepares: st.PreparesOut, Connections: st.Connections, Folded: st.Folded, InFlight: st.InFlight,
		LongestWake: st.Loops.LongestWake, RejectsIn: make(rejects, len(st.RejectsIn)),
	}
	for code, n := range st.RejectsIn {
		s.RejectsIn[code.String()] = n
	}
	s.Allocs, s.Collections, s.Collector = heap()
	s.User, s.System = processCPU()
	s.At = time.Now()
	return s
}

// roundTrips reads the latencies since they were last reset.
func roundTrips(eng *engine.Engine) latency {
	h := eng.Stats().RoundTrips
	return latency{P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), P999: h.Quantile(0.999), Max: h.Max()}
}

// minus is what came between two samples of one end.
func (s sample) minus(before sample) sample {
	d := s
	d.User -= before.User
	d.System -= before.System
	d.Allocs -= before.Allocs
	d.Collections -= before.Collections
	d.Collector -= before.Collector
	d.Sent -= before.Sent
	d.SentPackets -= before.SentPackets
	d.Released -= before.Released
	d.PacketsIn -= before.PacketsIn
	d.Vectors -= before.Vectors
	d.FramesOut -= before.FramesOut
	d.Writes -= before.Writes
	d.Prepares -= before.Prepares
	d.Octets -= before.Octets
	d.RejectsIn = make(rejects)
	for code, n := range s.RejectsIn {
		if n -= before.RejectsIn[code]; n > 0 {
			d.RejectsIn[code] = n
		}
	}
	return d
}

func (r rejects) total() (n uint64) {
	for _, k := range r {
		n += k
	}
	return n
}

// heap counts the objects that this process ever allocated, those too that the runtime
// packed together for being tiny; how often it collected garbage; and what CPU time the
// runtime believes that took. It believes too much rather than too little, and adds a
// collection when that is done, so that of a time without collections it says zero.
func heap() (allocs, collections uint64, collector time.Duration) {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"},
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(s)
	count := func(i int) uint64 {
		if s[i].Value.Kind() != metrics.KindUint64 {
			return 0 // a runtime that does not tell
		}
		return s[i].Value.Uint64()
	}
	if s[3].Value.Kind() == metrics.KindFloat64 {
		collector = time.Duration(s[3].Value.Float64() * float64(time.Second))
	}
	return count(0) + count(1), count(2), collector
}
