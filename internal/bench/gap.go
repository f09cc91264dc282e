package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

// longestGap has a thread on each processor look at the clock again and again for so
// long, and is the longest that one of them did not come to it: what the system takes
// away of a loop that is always busy, whatever the loop does.
func longestGap(d time.Duration) time.Duration {
	gaps := make([]time.Duration, runtime.GOMAXPROCS(0))
	cpus, _ := affinity.Allowed()
	var all sync.WaitGroup
	for i := range gaps {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if i < len(cpus) {
				_ = affinity.Bind(cpus[i]) // as loadgen's loops are
			}
			var longest time.Duration
			for begun, last := time.Now(), time.Duration(0); last < d; {
				now := time.Since(begun)
				longest, last = max(longest, now-last), now
			}
			gaps[i] = longest
		})
	}
	all.Wait()
	var longest time.Duration
	for _, gap := range gaps {
		longest = max(longest, gap)
	}
	return longest
}
