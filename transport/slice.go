package transport

import "github.com/millrace-ilp/millrace/pool"

const (
	// maxRest bounds the octets of a link that wait for their next slice, and maxRested
	// about those of all on a loop. Whoever sends on and on comes to them; then what waited
	// and what came are worked on at once.
	maxRest   = 1 << 20
	maxRested = 16 << 20
)

// sliceOver says that others are due. It is asked after each vector but the last.
func (lp *Loop) sliceOver() bool {
	return lp.cfg.Slice >= 0 && lp.rested < maxRested && lp.clock.elapsed() >= lp.cfg.Slice
}

// rest keeps what a link's session has not looked at for another slice.
func (lp *Loop) rest(l *Link) {
	b := l.s.Rest()
	if len(b) == 0 {
		return
	}
	l.rest = pool.Get(len(b))
	copy(l.rest.B, b)
	lp.rested += len(b)
	if !l.rests {
		l.rests = true
		lp.resting = append(lp.resting, l)
	}
}

// resume gives the link that has rested longest its next slice.
func (lp *Loop) resume() {
	for len(lp.resting) > 0 {
		l := lp.resting[0]
		lp.resting[0] = nil
		lp.resting = lp.resting[1:]
		l.rests = false
		if l.rest == nil || l.phase != linkUp {
			continue
		}
		lp.alone = false
		lp.goOn(l, nil, true)
		return
	}
	lp.resting = nil
}

// goOn works on what a link has left, and then on b, which came after it: for one
// slice, or until nothing is left.
func (lp *Loop) goOn(l *Link, b []byte, sliced bool) {
	waited := l.rest
	l.rest = nil
	n := len(waited.B)
	if sliced && len(waited.B)+len(b) <= maxRest {
		waited.B = append(waited.B, b...)
		lp.work(l, waited.B, true)
	} else {
		lp.work(l, waited.B, false)
		if l.phase == linkUp && len(b) > 0 {
			lp.work(l, b, sliced)
		}
	}
	waited.Release()
	lp.rested -= n
}
