// Command cmd runs simulated worlds (package sim), one seed after another on
// every core, and reports what they did:
//
//	go run ./internal/sim/cmd -seeds 1-2000 -for 3m
//	go run ./internal/sim/cmd -seeds 7-          # until interrupted
//	go run ./internal/sim/cmd -seed 0x1f -shrink # make a failing seed smaller
//	go run ./internal/sim/cmd -seeds 1-50 -hashes # what another build must give too
//
// It exits with 1 when any check is violated, with 2 when it is called wrongly.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/internal/sim"
)

func main() { os.Exit(run()) }

type flags struct {
	first, last uint64
	limit       time.Duration
	workers     int
	faults      sim.Faults
	shrink      bool
	least       uint64
	verbose     bool
	hashes      bool
	safety      time.Duration
}

func run() int {
	f, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		return 2
	}
	if f.hashes {
		return printHashes(f)
	}
	total := &sim.Report{}
	began := time.Now()
	for r := range results(f) {
		if f.verbose {
			fmt.Printf("seed %d: %d packets, hash %016x, %v\n", r.Seed, r.Packets, r.Hash, r.On)
		}
		if r.Violation != nil {
			fmt.Println(r.Violation)
			fmt.Println("  on:", r.On)
			if len(total.Violations) < 3 {
				for _, line := range r.Violation.Last[max(0, len(r.Violation.Last)-30):] {
					fmt.Println("   ", line)
				}
			}
			if f.shrink {
				fmt.Println("  shrunk:", sim.Shrink(sim.Config{Seed: r.Seed, Faults: f.faults, MaxSafety: int64(f.safety)}, r))
			}
		}
		total.Add(r)
	}
	total.Print(os.Stdout, time.Since(began))
	if missing := total.Missing(f.least); f.least > 0 && len(missing) > 0 {
		fmt.Printf("seen less than %d times: %s\n", f.least, strings.Join(missing, ", "))
		return 1
	}
	if len(total.Violations) > 0 {
		return 1
	}
	return 0
}

// printHashes writes the fingerprint of each seed, in their order, for a build to
// be compared with another.
func printHashes(f *flags) int {
	hashes := map[uint64]uint64{}
	status := 0
	for r := range results(f) {
		hashes[r.Seed] = r.Hash
		if r.Violation != nil {
			fmt.Fprintln(os.Stderr, r.Violation)
			status = 1
		}
	}
	for _, seed := range slices.Sorted(maps.Keys(hashes)) {
		fmt.Printf("%d %016x\n", seed, hashes[seed])
	}
	return status
}

// hang is how long one seed may take: a machine that never returns can not be
// stopped otherwise. The longest take a few seconds.
const hang = 60 * time.Second

// results runs the seeds on every core.
func results(f *flags) <-chan *sim.Result {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	seeds, out := make(chan uint64), make(chan *sim.Result)
	go func() {
		defer close(seeds)
		var over <-chan time.Time
		if f.limit > 0 {
			over = time.After(f.limit)
		}
		for s := f.first; ; s++ {
			select {
			case seeds <- s:
			case <-over:
				return
			case <-stop:
				return
			}
			if s == f.last {
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range f.workers {
		workers.Go(func() {
			for s := range seeds {
				watch := time.AfterFunc(hang, func() {
					fmt.Printf("T3 violated: seed %d does not come to an end within %v\n", s, hang)
					os.Exit(1)
				})
				r := sim.Run(sim.Config{Seed: s, Faults: f.faults, MaxSafety: int64(f.safety)})
				watch.Stop()
				out <- &r
			}
		})
	}
	go func() {
		workers.Wait()
		close(out)
	}()
	return out
}

func parse(args []string) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("sim", flag.ContinueOnError)
	seeds := set.String("seeds", "1-200", "first-last, or first- for no end")
	seed := set.String("seed", "", "one seed to replay")
	off := set.Bool("calm", false, "no faults")
	only := set.String("faults", "", "comma-separated faults that may be on; empty means all")
	set.DurationVar(&f.limit, "for", 0, "stop after so long; 0 means when the seeds are done")
	set.IntVar(&f.workers, "workers", runtime.GOMAXPROCS(0), "seeds at a time")
	set.BoolVar(&f.shrink, "shrink", false, "look for fewer faults and less time that still fail")
	set.BoolVar(&f.verbose, "v", false, "a line for each seed")
	set.BoolVar(&f.hashes, "hashes", false, "only the fingerprint of each seed")
	set.DurationVar(&f.safety, "safety", 0, "bound on the virtual time with faults; 0 means what each seed says")
	set.Uint64Var(&f.least, "least", 0, "fail if a fault, reject code or frame was seen less often")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	first, last, ranged := strings.Cut(*seeds, "-")
	if *seed != "" {
		first, last, ranged = *seed, "", false
		f.verbose = true
	}
	var err error
	if f.first, err = strconv.ParseUint(first, 0, 64); err != nil {
		return nil, fmt.Errorf("-seeds: %w", err)
	}
	switch {
	case last != "":
		if f.last, err = strconv.ParseUint(last, 0, 64); err != nil {
			return nil, fmt.Errorf("-seeds: %w", err)
		}
	case ranged:
		f.last = ^uint64(0)
	default:
		f.last = f.first
	}
	if f.last < f.first {
		return nil, errors.New("-seeds: the last one is before the first")
	}
	f.faults = sim.AllFaults
	if *off {
		f.faults = 0
	} else if *only != "" {
		if f.faults, err = sim.ParseFaults(*only); err != nil {
			return nil, err
		}
	}
	return f, nil
}
