package nullengine

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is user and system time of the whole process so far.
func processCPU() time.Duration {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// threadID names the calling thread, for threadCPU.
func threadID() int64 { return int64(unix.Gettid()) }

// threadCPU is the CPU time of a thread of this process so far, 0 for none. The
// clock of another thread is numbered as the kernel's CPUCLOCK_SCHED with the
// per-thread bit; see clock_getcpuclockid(3) and the kernel's posix-timers.h.
func threadCPU(tid int64) time.Duration {
	if tid == 0 {
		return 0
	}
	const sched, perThread = 2, 4
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^tid<<3|sched|perThread), &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
