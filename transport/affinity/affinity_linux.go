package affinity

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Allowed are the numbers of the processors that the process may use, in rising order. Not
// to be called on a thread that is bound.
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
// is locked to its thread, which ends with it: nobody else ever runs on a thread that is
// bound. A processor that there is not, or that the process may not use, is an error and
// changes nothing.
func Bind(cpu int) error {
	var set unix.CPUSet
	if cpu >= 0 {
		set.Set(cpu)
	}
	if set.Count() == 0 {
		return fmt.Errorf("affinity: no system has a processor %d", cpu)
	}
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("affinity: processor %d: %w", cpu, err)
	}
	return nil
}
