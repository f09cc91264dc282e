package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/internal/nullengine"
)

// pacerSample is how many sleeps of a pacer one is measured of.
const pacerSample = 16

// pacer lets the packets of an open loop go in time. Where they are due so often that
// a loop hardly sleeps, the loop looks again and again (watch): nothing else then takes
// its processor, and nobody has to wake it. Otherwise a goroutine sleeps from one arrival
// to the next. Timers of Go and of the loops are a millisecond coarse, so it sleeps in the
// kernel. It is not locked to a thread: to wake one that is costs three switches
// instead of one.
type pacer struct {
	crowds []*crowd
	cpu    []atomic.Int64 // that waiting took for each loop so far, in nanoseconds
	stop   atomic.Bool
	gone   sync.WaitGroup
	procs  int // GOMAXPROCS before
}

// startPacer begins to look after each loop. Goroutines get processors of their own: they
// sleep nearly always, and must not wait for one when they do not.
func startPacer(crowds []*crowd) (*pacer, error) {
	p := &pacer{crowds: crowds, cpu: make([]atomic.Int64, len(crowds))}
	p.procs = runtime.GOMAXPROCS(0)
	watches := runtime.NumCPU() >= 2*len(crowds) // the receiver's loops have processors, too
	for i, c := range crowds {
		if watches && c.open.schedule.Gather() > 0 {
			c.watch = func(lp *engine.OnLoop) { p.watch(i, lp) }
			if err := c.link.Do(c.watch); err != nil {
				return p, err
			}
			continue
		}
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
		p.gone.Go(func() { p.pace(i) })
	}
	return p, nil
}

// watchFor is how long watch waits for the next arrival before its loop looks at
// its sockets.
const watchFor = 2 * time.Microsecond

// watch raises what is due, now and whenever its loop has served its sockets.
func (p *pacer) watch(i int, lp *engine.OnLoop) {
	c := p.crowds[i]
	a := c.open
	gather := a.schedule.Gather()
	from := a.now()
	now := from
	for now < a.nextAt.Load()+gather && now < from+int64(watchFor) {
		now = a.now()
	}
	p.cpu[i].Add(now - from)
	if now >= a.nextAt.Load()+gather {
		a.raise(lp.Machine(), lp.Now())
	}
	if !p.stop.Load() {
		giveWay()
		lp.Later(c.watch)
	}
}

func (p *pacer) pace(i int) {
	c := p.crowds[i]
	a := c.open
	gather := a.schedule.Gather()
	raise := func(lp *engine.OnLoop) { a.raise(lp.Machine(), lp.Now()) }
	for round := 0; !p.stop.Load(); round++ {
		// What is due waits for others.
		if wait := a.nextAt.Load() + gather - a.now(); wait > 0 {
			wait = min(wait, int64(5*time.Millisecond))
			if round%pacerSample != 0 {
				sleepFor(wait)
				continue
			}
			before := threadCPU()
			sleepFor(wait)
			if used := threadCPU() - before; used > 0 { // else on another thread
				p.cpu[i].Add(pacerSample * int64(used))
			}
			continue
		}
		if c.link.Do(raise) != nil {
			return
		}
		if a.nextAt.Load() < a.now() { // as many wait as may
			sleepFor(int64(nullengine.Granule))
		}
	}
}

// used is the CPU time of the pacer's sleeps so far, by the sample.
func (p *pacer) used() (sum time.Duration) {
	for i := range p.cpu {
		sum += time.Duration(p.cpu[i].Load())
	}
	return sum
}

// pacing is the CPU time that went into keeping an open loop in time, on top of
// what the event loops did.
func (snd *sender) pacing() time.Duration {
	if snd.pacer == nil {
		return 0
	}
	return snd.pacer.used()
}

func (p *pacer) end() {
	p.stop.Store(true)
	p.gone.Wait()
	runtime.GOMAXPROCS(p.procs)
}
