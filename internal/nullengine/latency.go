package nullengine

import "github.com/HdrHistogram/hdrhistogram-go"

// Latency is what a share of the messages stayed below, in nanoseconds.
type Latency struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

// longest is the longest latency that is told apart: an hour, in nanoseconds.
const longest = 3600e9

// NewHistogram is an empty histogram of durations in nanoseconds, exact to 1 %.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, 2) }

// Record enters a duration. It does not allocate.
func Record(h *hdrhistogram.Histogram, ns int64) { _ = h.RecordValue(min(max(ns, 1), longest)) }

// LatencyOf reads the figures of a histogram.
func LatencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	most := h.Max()
	at := func(q float64) int64 { return min(h.ValueAtQuantile(q), most) }
	return Latency{at(50), at(90), at(99), at(99.9), most}
}
