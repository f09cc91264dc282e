package stream

// Congestion chooses how many packets of a connection are in flight.
type Congestion uint8

const (
	// CongestionAIMD opens the window by one for each fulfilled packet up to a
	// threshold, then by one a window's worth, and halves it when the path is
	// congested (TCP's slow start and congestion avoidance, RFC 5681).
	CongestionAIMD Congestion = iota
	// CongestionDelay follows the round-trip time: it keeps a few packets more in
	// flight than the path holds without queues (after TCP Vegas).
	CongestionDelay
	// CongestionSerial sends one packet after the other, as the reference library
	// does.
	CongestionSerial
	congestions
)

// controller moves a window. It has no state of its own: a window's is in the
// window, so that records hold no pointers.
type controller interface {
	fulfilled(w *window, roundTrip Instant)
	congested(w *window)
}

var controllers = [congestions]controller{aimd{}, delay{}, serial{}}

// window bounds the packets in flight of a connection.
type window struct {
	size      uint32
	threshold uint32 // up to here it opens quickly
	limit     uint32 // Options.MaxInFlight
	credit    uint32 // fulfilled packets since the last step
	kind      Congestion
	steps     uint16
	step      uint32  // fulfilled packets that the present step takes
	base      Instant // the shortest round trip seen
	least     Instant // the shortest of the present step
}

const initialWindow = 16

func (w *window) init(kind Congestion, limit int) {
	w.kind = kind
	w.limit = uint32(min(max(limit, 1), 1<<20))
	if kind == CongestionSerial {
		w.limit = 1
	}
	w.size = min(initialWindow, w.limit)
	w.threshold = w.limit
}

func (w *window) fulfilled(roundTrip Instant) { controllers[w.kind].fulfilled(w, roundTrip) }
func (w *window) congested()                  { controllers[w.kind].congested(w) }

type aimd struct{}

func (aimd) fulfilled(w *window, _ Instant) {
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

func (aimd) congested(w *window) {
	w.threshold = max(w.size/2, 1)
	w.size = w.threshold
	w.credit = 0
}

type delay struct{}

// The packets that delay lets stand in queues.
const (
	fewQueued  = 2
	manyQueued = 4
	newBase    = 256 // steps until the path's own round trip is measured anew
)

func (delay) fulfilled(w *window, roundTrip Instant) {
	roundTrip = max(roundTrip, 1)
	if w.least == 0 || roundTrip < w.least {
		w.least = roundTrip
	}
	if w.base == 0 || roundTrip < w.base {
		w.base = roundTrip
	}
	opening := w.size < w.threshold
	if opening && w.size < w.limit {
		w.size++
	}
	if w.credit++; w.credit < w.step {
		return
	}
	queued := uint64(w.size) * uint64(w.least-w.base) / uint64(w.least)
	switch {
	case opening && queued > fewQueued:
		w.size -= min(uint32(queued), w.size-1)
		w.threshold = w.size
	case opening:
	case queued < fewQueued && w.size < w.limit:
		w.size++
	case queued > manyQueued && w.size > 1:
		w.size--
		w.threshold = w.size
	}
	w.credit, w.least, w.step = 0, 0, w.size
	if w.steps++; w.steps == newBase {
		// Routes change. Half a window has no queues, so its round trip is the
		// path's own.
		w.steps, w.base = 0, 0
		w.threshold = w.size
		w.size = max(w.size/2, 1)
	}
}

func (delay) congested(w *window) {
	w.threshold = max(w.size/2, 1)
	w.size = w.threshold
	w.credit, w.least = 0, 0
}

type serial struct{}

func (serial) fulfilled(*window, Instant) {}
func (serial) congested(*window)          {}
