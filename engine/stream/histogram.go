package stream

import "math/bits"

// Histogram counts durations in log-linear buckets: 32 steps an octave, so a
// figure read back is at most 3.2 % above the true one. It is 16 KiB.
type Histogram struct {
	counts [64 * 32]uint64
	total  uint64
	max    int64
}

func (h *Histogram) record(ns int64) {
	ns = max(ns, 0)
	h.counts[histogramBucket(uint64(ns))]++
	h.total++
	h.max = max(h.max, ns)
}

func histogramBucket(v uint64) int {
	if v < 32 {
		return int(v)
	}
	shift := bits.Len64(v) - 6
	return (shift+1)*32 + int(v>>shift)&31
}

// histogramUpper is the largest value of a bucket.
func histogramUpper(b int) int64 {
	if b < 32 {
		return int64(b)
	}
	shift := b/32 - 1
	return int64(uint64(32+b%32+1)<<shift - 1)
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest duration, in nanoseconds.
func (h *Histogram) Max() int64 { return h.max }

// Quantile is the duration, in nanoseconds, that a share q (0 to 1) of the
// recorded ones does not exceed; 0 when there are none.
func (h *Histogram) Quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.total)), 1)
	var seen uint64
	for b, n := range h.counts {
		if seen += n; seen >= rank {
			return min(histogramUpper(b), h.max)
		}
	}
	return h.max
}

// Merge adds the counts of o.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// Reset forgets everything recorded.
func (h *Histogram) Reset() { *h = Histogram{} }
