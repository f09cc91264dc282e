package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sleepFor sleeps in the kernel, which may prolong the sleeps of a thread by 50 µs
// unless it is told not to.
func sleepFor(ns int64) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	t := unix.NsecToTimespec(ns)
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil)
}

// giveWay lets threads run that wait for this processor: one that never sleeps is left
// there for milliseconds before it has to.
func giveWay() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// threadCPU is what this thread has used so far.
func threadCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
