package nullengine

import (
	"math/rand/v2"
	"time"
)

// Granule is how long arrivals that are closer together may be gathered before
// they are sent: the grain of an open loop. The load generators of Millrace keep
// to it as well, so that neither is finer than the other.
const Granule = 50 * time.Microsecond

// Arrivals says when the messages of an open loop are due, whatever became of
// those before. It is not safe for concurrent use.
type Arrivals struct {
	next     float64 // nanoseconds
	interval float64
	poisson  *rand.Rand // nil for a constant pace
}

// NewArrivals begins at an instant, in nanoseconds of a clock of the caller's, with
// rate arrivals a second, above zero: one every 1/rate seconds, or with poisson as
// a Poisson process of that mean. The same seed gives the same arrivals.
func NewArrivals(startNs int64, rate float64, poisson bool, seed uint64) *Arrivals {
	a := &Arrivals{next: float64(startNs), interval: 1e9 / rate}
	if poisson {
		a.poisson = rand.New(rand.NewPCG(seed, 0x6d696c6c72616365))
	}
	a.Pass()
	return a
}

// Next is when the next arrival is due.
func (a *Arrivals) Next() int64 { return int64(a.next) }

// Pass goes on to the arrival after the next.
func (a *Arrivals) Pass() {
	if a.poisson == nil {
		a.next += a.interval
		return
	}
	a.next += a.interval * a.poisson.ExpFloat64()
}

// Gather is how long the next arrival may wait for others: Granule less the mean
// interval, so that arrivals which are far apart wait for nothing.
func (a *Arrivals) Gather() int64 { return max(0, int64(Granule)-int64(a.interval)) }
