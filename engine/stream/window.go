package stream

// Congestion chooses how many packets of a connection are in flight.
type Congestion uint8

const (
	// CongestionAIMD opens the window by one for each fulfilled packet up to a
	// threshold, then by little a round trip, and halves it when the path is
	// congested (TCP's slow start and congestion avoidance, RFC 5681). Beyond 1024
	// packets it opens only while round trips take hardly longer than the shortest:
	// a long path is filled, and a short one gets no queues.
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
	fulfilled(w *window, now, sentAt Instant)
	congested(w *window)
}

var controllers = [congestions]controller{aimd{}, delay{}, serial{}}

// window bounds the packets in flight of a connection, or of a link.
type window struct {
	size      uint32
	threshold uint32 // up to here it opens quickly
	limit     uint32 // Options.MaxInFlight
	credit    uint32 // fulfilled packets since the last step
	kind      Congestion
	full      bool    // it was reached in the present step
	wasFull   bool    // and in the last one
	calm      bool    // the last step showed no queues
	steps     uint8   // in a row that were like it
	step      uint32  // fulfilled packets that the present step takes (delay), or quick ones in it (aimd)
	count     uint32  // and how many of them there were (aimd)
	base      Instant // the shortest round trip seen
	trips     Instant // of the present step: the shortest (delay), or all together (aimd)
	began     Instant // when the present step began (aimd)
}

const (
	initialWindow = 16
	// shortFlight is how far a window opens whatever the round trips say: enough to
	// keep both ends of a short path busy in large vectors, 0.5 ms of a full loop.
	shortFlight = 1024
)

func (w *window) init(kind Congestion, limit int) {
	w.kind = kind
	w.limit = uint32(min(max(limit, 1), 1<<20))
	if kind == CongestionSerial {
		w.limit = 1
	}
	w.size = min(initialWindow, w.limit)
	w.threshold = w.limit
}

// restart begins anew after a pause in which the path may have become another (RFC 5681
// §4.1): what is known of where it was congested stays.
func (w *window) restart() {
	kind, limit, threshold := w.kind, w.limit, w.threshold
	*w = window{}
	w.init(kind, int(limit))
	w.threshold = threshold
}

func (w *window) fulfilled(now, sentAt Instant) { controllers[w.kind].fulfilled(w, now, sentAt) }
func (w *window) congested()                    { controllers[w.kind].congested(w) }

// reached notes that so many packets are in flight.
func (w *window) reached(packets uint32) {
	if packets >= w.size {
		w.full = true
	}
}

type aimd struct{}

const (
	// gentle is how a window beyond its threshold opens: by 1 and a 64th a round
	// trip. TCP's 1 would take minutes on a long path (RFC 3649). Beyond shortFlight,
	// where queues are looked for, it is one more 64th with every calm step: a path
	// that was taken for full too soon is found out in a second.
	gentle = 64
	// crowded steps, so many in a row, are borne until the path's own round trip is
	// measured anew.
	newPath = 64
)

func (aimd) fulfilled(w *window, now, sentAt Instant) {
	if sentAt >= w.began { // one round trip since the step began
		w.endStep(now)
	}
	roundTrip := max(now-sentAt, 1)
	if w.base == 0 || roundTrip < w.base {
		w.base = roundTrip
	}
	quick := roundTrip <= w.base+w.base/4
	if quick {
		w.step++
	}
	w.trips += roundTrip
	w.count++
	switch {
	case w.size >= w.limit:
	case w.size >= shortFlight && (!w.calm || !w.wasFull || !quick):
		// It stood in a queue, or there is no use for more.
	case w.size < w.threshold:
		w.size++
	case w.size >= shortFlight:
		if w.credit += uint32(w.steps); w.credit >= gentle {
			w.credit = 0
			w.size++
		}
	default:
		if w.credit++; w.credit >= w.size {
			w.credit = 0
			w.size = min(w.size+1+w.size/gentle, w.limit)
		}
	}
}

// endStep looks at the round trips of a step that is over: what they take longer than
// the shortest was spent in queues.
func (w *window) endStep(now Instant) {
	calm := 2*w.step >= w.count // most of them were quick
	if w.size > shortFlight || w.size == shortFlight && w.full && w.limit > shortFlight {
		mean := max(w.trips/Instant(max(w.count, 1)), w.base)
		if calm != w.calm {
			w.steps = 0
		}
		w.steps = min(w.steps+1, newPath)
		switch {
		case calm || w.steps < 2: // what one step shows may be a hiccup
		case mean > w.base+w.base/2:
			// Towards what the path holds and a quarter, not all the way at once.
			held := uint64(w.size) * uint64(w.base) / uint64(mean)
			w.size = max(uint32(held+held/4), w.size-w.size/4, shortFlight)
			fallthrough
		default:
			w.threshold, w.credit = w.size, 0
		}
		if !calm && w.steps == newPath {
			// Or the path is another and longer now. Half a window has no queues of
			// its own, so its round trip is the path's.
			w.steps, w.base = 0, 0
			w.size /= 2
		}
	}
	w.calm = calm
	w.began, w.trips, w.count, w.step = now, 0, 0, 0
	w.full, w.wasFull = false, w.full
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
)

func (delay) fulfilled(w *window, now, sentAt Instant) {
	roundTrip := max(now-sentAt, 1)
	if w.trips == 0 || roundTrip < w.trips {
		w.trips = roundTrip
	}
	if w.base == 0 || roundTrip < w.base {
		w.base = roundTrip
	}
	w.calm = w.base > 0 && w.trips-w.base <= w.base/4
	opening := w.size < w.threshold
	if opening && w.size < w.limit {
		w.size++
	}
	if w.credit++; w.credit < w.step {
		return
	}
	queued := uint64(w.size) * uint64(w.trips-w.base) / uint64(w.trips)
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
	w.credit, w.trips, w.step = 0, 0, w.size
	if w.steps++; w.steps == 0 { // 256 steps
		// Routes change. Half a window has no queues, so its round trip is the
		// path's own.
		w.base = 0
		w.threshold = w.size
		w.size = max(w.size/2, 1)
	}
}

func (delay) congested(w *window) {
	w.threshold = max(w.size/2, 1)
	w.size = w.threshold
	w.credit, w.trips = 0, 0
}

type serial struct{}

func (serial) fulfilled(*window, Instant, Instant) {}
func (serial) congested(*window)                   {}
