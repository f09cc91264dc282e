package stream

// replayWindow refuses a sequence that has been seen, and any that is too old
// to tell (after RFC 6479). It starts with 64 places inline and grows when
// packets arrive further out of order, up to maxReplay.
type replayWindow struct {
	top uint64 // the highest sequence seen
	// Bit i: top-i was seen. Bit 0 says that the window is inline: without it nothing
	// was seen yet, or what was is in a farReplay, and then there is another bit.
	bits uint64
}

// farReplay is what a window has that has grown.
type farReplay struct {
	words []uint64 // a ring of bits, place = sequence mod their number; nil while inline
	low   uint64   // of those below it nobody knows whether they were seen
}

const (
	// inlineReplay is how many places a window has at first.
	inlineReplay = 64
	// maxReplay bounds the places of one window.
	maxReplay = 1 << 16
	// farBits are the bits of a window that has grown.
	farBits = 2
)

// size is how many places a window has.
func (far *farReplay) size() uint64 { return max(64*uint64(len(far.words)), inlineReplay) }

// accept says whether seq is new, and marks it. far is what the window has while it is
// grown, and whether it has words says whether it is from now on.
func (w *replayWindow) accept(seq uint64, far *farReplay) bool {
	switch {
	case w.bits == 0:
		w.top, w.bits = seq, 1
		return true
	case w.bits == farBits:
		return w.acceptFar(seq, far)
	case w.acceptNear(seq):
		return true
	}
	late := w.top - seq
	if late < inlineReplay && w.bits>>late&1 != 0 {
		return false
	}
	// Or it is too late to tell; the next one this late will be welcome.
	fresh := late < inlineReplay
	if fresh {
		w.bits |= 1 << late
	}
	w.grow(late, far)
	return fresh
}

// acceptNear is accept for a sequence that comes in order, or nearly, while the window
// is small: it says false, and does nothing, for any other.
func (w *replayWindow) acceptNear(seq uint64) bool {
	if w.bits&1 == 0 {
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
func (w *replayWindow) tooLate(seq uint64, far *farReplay) bool {
	return w.bits != 0 && seq < w.top && (w.top-seq >= far.size() || seq < far.low)
}

// acceptFar is accept of a window that has grown.
func (w *replayWindow) acceptFar(seq uint64, far *farReplay) bool {
	words, size := far.words, far.size()
	if seq > w.top {
		// Clear the places between, which belonged to sequences now too old.
		if seq-w.top >= size {
			clear(words)
		} else {
			for s := w.top + 1; s <= seq; s++ {
				words[s%size/64] &^= 1 << (s % 64)
			}
		}
		w.top = seq
		words[seq%size/64] |= 1 << (seq % 64)
		return true
	}
	late := w.top - seq
	if late >= size {
		w.grow(late, far)
		return false
	}
	bit := uint64(1) << (seq % 64)
	if words[seq%size/64]&bit != 0 {
		return false
	}
	words[seq%size/64] |= bit
	if late >= size/2 {
		w.grow(late, far)
	}
	return true
}

// grow makes room for packets four times as late as late. What lies below the
// old window counts as seen.
func (w *replayWindow) grow(late uint64, far *farReplay) {
	before := far.size()
	if before >= maxReplay {
		return
	}
	size := uint64(2 * inlineReplay)
	for size < 4*late && size < maxReplay {
		size *= 2
	}
	words := make([]uint64, size/64)
	for i := uint64(0); i < size && i <= w.top; i++ {
		seq := w.top - i
		seen := i >= before
		if !seen && far.words == nil {
			seen = w.bits>>i&1 != 0
		} else if !seen {
			seen = far.words[seq%before/64]>>(seq%64)&1 != 0
		}
		if seen {
			words[seq%size/64] |= 1 << (seq % 64)
		}
	}
	if w.top >= before {
		far.low = max(far.low, w.top-before+1)
	}
	far.words, w.bits = words, farBits
}
