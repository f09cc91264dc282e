package stream

// replayWindow refuses a sequence that has been seen, and any that is too old
// to tell (after RFC 6479). It starts with 64 places inline and grows when
// packets arrive further out of order, up to maxReplay.
type replayWindow struct {
	top  uint64 // the highest sequence seen
	bits uint64 // bit i: top-i was seen
	low  uint64 // of those below it nobody knows whether they were seen
	size uint32 // places; 64 while inline
	used bool
}

// inlineReplay is how many places a window has at first.
const inlineReplay = 64

// maxReplay bounds the places of one window.
const maxReplay = 1 << 16

// accept says whether seq is new, and marks it. words is the grown window, nil
// while inline; it is returned, maybe larger.
func (w *replayWindow) accept(seq uint64, words []uint64) ([]uint64, bool) {
	if !w.used {
		w.used, w.top, w.bits, w.size = true, seq, 1, inlineReplay
		return words, true
	}
	if words != nil {
		return w.acceptGrown(seq, words)
	}
	if w.acceptNear(seq) {
		return nil, true
	}
	late := w.top - seq
	switch {
	case late >= inlineReplay:
		// Too late to tell; the next one this late will be welcome.
		return w.grow(late, nil), false
	case w.bits>>late&1 != 0:
		return nil, false
	}
	w.bits |= 1 << late
	return w.grow(late, nil), true
}

// acceptNear is accept for a sequence that comes in order, or nearly, while the window
// is small: it says false, and does nothing, for any other.
func (w *replayWindow) acceptNear(seq uint64) bool {
	if w.size != inlineReplay || !w.used {
		return false
	}
	if seq > w.top {
		if d := seq - w.top; d < inlineReplay {
			w.bits = w.bits<<d | 1
		} else {
			w.bits = 1
		}
		w.top = seq
		return true
	}
	late := w.top - seq
	if late >= inlineReplay/2 || w.bits>>late&1 != 0 {
		return false
	}
	w.bits |= 1 << late
	return true
}

// tooLate says whether a sequence lies before the window, or did so when the window
// was smaller, so that nobody knows whether it was seen.
func (w *replayWindow) tooLate(seq uint64) bool {
	return w.used && seq < w.top && (w.top-seq >= uint64(w.size) || seq < w.low)
}

// acceptGrown is accept over a ring of words, place = sequence mod size.
func (w *replayWindow) acceptGrown(seq uint64, words []uint64) ([]uint64, bool) {
	size := uint64(w.size)
	if seq > w.top {
		// Clear the places between, which belonged to sequences now too old.
		from := w.top + 1
		if seq-w.top >= size {
			clear(words)
		} else {
			for s := from; s <= seq; s++ {
				words[s%size/64] &^= 1 << (s % 64)
			}
		}
		w.top = seq
		words[seq%size/64] |= 1 << (seq % 64)
		return words, true
	}
	late := w.top - seq
	if late >= size {
		return w.grow(late, words), false
	}
	bit := uint64(1) << (seq % 64)
	if words[seq%size/64]&bit != 0 {
		return words, false
	}
	words[seq%size/64] |= bit
	if late >= size/2 {
		return w.grow(late, words), true
	}
	return words, true
}

// grow makes room for packets four times as late as late. What lies below the
// old window counts as seen.
func (w *replayWindow) grow(late uint64, old []uint64) []uint64 {
	if w.size >= maxReplay {
		return old
	}
	size := uint32(128)
	for uint64(size) < 4*late && size < maxReplay {
		size *= 2
	}
	words := make([]uint64, size/64)
	for i := uint64(0); i < uint64(size) && i <= w.top; i++ {
		seq := w.top - i
		seen := i >= uint64(w.size)
		if !seen && old == nil {
			seen = w.bits>>i&1 != 0
		} else if !seen {
			seen = old[seq%uint64(w.size)/64]>>(seq%64)&1 != 0
		}
		if seen {
			words[seq%uint64(size)/64] |= 1 << (seq % 64)
		}
	}
	if w.top >= uint64(w.size) {
		w.low = max(w.low, w.top-uint64(w.size)+1)
	}
	w.size = size
	return words
}
