package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// fineSleep makes the sleeps of this thread exact, which the kernel otherwise
// prolongs by up to 50 µs. What it returns undoes that.
func fineSleep() (undo func()) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }
}

// sleepFor sleeps on the thread, in the kernel.
func sleepFor(ns int64) {
	t := unix.NsecToTimespec(ns)
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil)
}

// threadCPU is what this thread has used so far.
func threadCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
