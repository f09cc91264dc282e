package affinity

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Allowed are the numbers of the processors that the process may use, in rising order. Not
// to be called on a thread that is bound, such as in a handler of a bound loop.
func Allowed() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("affinity: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// Bind has the calling goroutine run on that processor from now on, and nowhere else. It
// is locked to its thread, which ends with it, so that nobody else ever runs on a thread
// that is bound; only the process's first thread cannot end, and stands still then.
// Goroutines that it starts are free, processes that it starts are not. A processor that
// there is not, or that is not Allowed, is an error and changes nothing.
func Bind(cpu int) error {
	var may, set unix.CPUSet
	runtime.LockOSThread()
	err := unix.SchedGetaffinity(0, &may)
	if err == nil && (cpu < 0 || !may.IsSet(cpu)) { // the system would look at the cpuset alone, and not at a mask
		err = unix.EINVAL
	}
	if err == nil {
		set.Set(cpu)
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("affinity: processor %d: %w", cpu, err)
	}
	return nil
}
