package transport

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

func TestLoopsStayOnTheirProcessors(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	cpus := []int{all[0], all[len(all)-1]}
	where := make([]chan []int, len(cpus))
	loops, err := NewLoops(len(cpus), GNet, LoopConfig{CPUs: cpus}, func(i int) Handler {
		where[i] = make(chan []int)
		h := newRecorder(t)
		h.wake = func() {
			on, err := affinity.Allowed()
			if err != nil {
				t.Error(err)
			}
			where[i] <- on
		}
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // asleep in between
		for i, lp := range loops {
			lp.Wake()
			if on := <-where[i]; !slices.Equal(on, cpus[i:i+1]) {
				t.Errorf("loop %d of processor %d may run on %v", i, cpus[i], on)
			}
		}
	}
	if err := CloseLoops(context.Background(), loops); err != nil {
		t.Error(err)
	}
	if after, err := affinity.Allowed(); err != nil || !slices.Equal(after, all) {
		t.Errorf("before the loops %v was allowed, after them %v, %v", all, after, err)
	}
}

func TestLoopsWithoutTheirProcessorsDoNotStart(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		loops   int
		backend Backend
		cpus    []int
		is      error
	}{
		"not of this process":  {2, GNet, []int{all[0], all[len(all)-1] + 1}, nil},
		"far beyond":           {1, GNet, []int{1 << 30}, nil},
		"negative":             {1, GNet, []int{-1}, nil},
		"fewer than loops":     {2, GNet, all[:1], nil},
		"more than loops":      {1, GNet, []int{all[0], all[0]}, nil},
		"goroutines have none": {1, StdNet, all[:1], errors.ErrUnsupported},
	} {
		loops, err := NewLoops(test.loops, test.backend, LoopConfig{CPUs: test.cpus}, func(int) Handler { return newRecorder(t) })
		if loops != nil || err == nil || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %d loops, %v", what, len(loops), err)
		}
	}
}

// TestLoopsThatDoNotStartLeaveNothing: the last of several has no processor.
func TestLoopsThatDoNotStartLeaveNothing(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	count := func() (descriptors, goroutines int) {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files), runtime.NumGoroutine()
	}
	const tries = 20
	wantFiles, wantGoroutines := count()
	for range tries {
		if _, err := NewLoops(3, GNet, LoopConfig{CPUs: []int{all[0], all[0], all[len(all)-1] + 1}}, func(int) Handler { return newRecorder(t) }); err == nil {
			t.Fatal("loops on a processor that there is not")
		}
	}
	newRecorder(t).await("the same descriptors and goroutines as before", func() bool {
		files, goroutines := count()
		return files < wantFiles+tries && goroutines < wantGoroutines+tries
	})
}
