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

// pacer wakes the event loops of an open loop. A loop raises what is due whenever it
// is awake; the pacer comes when it slept through an arrival. Timers of Go and of the
// loops are a millisecond coarse, so it sleeps in the kernel. Its goroutines are not
// locked to threads: to wake one that is costs three switches instead of one.
type pacer struct {
	crowds []*crowd
	cpu    []atomic.Int64 // that the sleeps for each loop took so far, in nanoseconds
	stop   atomic.Bool
	gone   sync.WaitGroup
	procs  int // GOMAXPROCS before
}

// startPacer starts a goroutine for each loop. They get processors of their own: they
// sleep nearly always, and must not wait for one when they do not.
func startPacer(crowds []*crowd) *pacer {
	p := &pacer{crowds: crowds, cpu: make([]atomic.Int64, len(crowds))}
	p.procs = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(p.procs + len(crowds))
	for i := range crowds {
		p.gone.Go(func() { p.pace(i) })
	}
	return p
}

func (p *pacer) pace(i int) {
	c := p.crowds[i]
	a := c.open
	gather := a.schedule.Gather()
	raise := func(lp *engine.OnLoop) { a.raise(lp.Machine(), lp.Now(), c.streams) }
	for round := 0; !p.stop.Load(); round++ {
		// What is due waits for others, or for the loop to wake by itself.
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
