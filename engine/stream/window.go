package stream

// window bounds the packets in flight of a connection: it opens by one for
// each fulfilled packet up to the threshold, then by one a window's worth, and
// halves when the path is congested (after TCP's slow start and congestion
// avoidance).
type window struct {
	size      uint32
	threshold uint32
	limit     uint32 // Options.MaxInFlight
	credit    uint32 // fulfilled packets since the last step past the threshold
}

const initialWindow = 16

func (w *window) init(limit int) {
	w.limit = uint32(min(max(limit, 1), 1<<20))
	w.size = min(initialWindow, w.limit)
	w.threshold = w.limit
}

func (w *window) fulfilled(Instant) {
	if w.size >= w.limit {
		return
	}
	if w.size < w.threshold {
		w.size++
		return
	}
	if w.credit++; w.credit >= w.size {
		w.credit = 0
		w.size++
	}
}

func (w *window) congested() {
	w.threshold = max(w.size/2, 1)
	w.size = w.threshold
	w.credit = 0
}
