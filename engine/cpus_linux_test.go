package engine

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

func TestEachLoopRunsOnItsProcessor(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	cpus := []int{all[len(all)-1], all[0]}
	parent, child := newEngine(t, Config{Loops: 1}), newEngine(t, Config{Loops: 2, CPUs: cpus})
	ln, err := parent.ListenBTP("127.0.0.1:0", ListenConfig{Address: "test.parent", Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, cpu := range cpus {
		link, err := child.DialBTP(t.Context(), "btp+ws://me:token@"+ln.Addr().String(), LinkConfig{Loop: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		var on []int
		if err := link.Do(func(*OnLoop) { on, err = affinity.Allowed() }); err != nil {
			t.Fatal(err)
		}
		if err != nil || !slices.Equal(on, []int{cpu}) {
			t.Errorf("loop %d of processor %d may run on %v, %v", i+1, cpu, on, err)
		}
	}
}

func TestProcessorsThatDoNotFitTheLoops(t *testing.T) {
	for what, cfg := range map[string]Config{
		"fewer than loops":     {Loops: 2, CPUs: []int{0}},
		"more than loops":      {Loops: 1, CPUs: []int{0, 0}},
		"goroutines have none": {Loops: 1, CPUs: []int{0}, StdNet: true},
	} {
		if eng, err := New(cfg); eng != nil || !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, cpu := range []int{-1, 1 << 30} {
		if eng, err := New(Config{Loops: 1, CPUs: []int{cpu}}); eng != nil || !errors.Is(err, unix.EINVAL) {
			t.Errorf("processor %d: %v", cpu, err)
		}
	}
}
