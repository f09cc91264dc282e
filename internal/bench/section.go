package main

import (
	"context"
	"strconv"
)

// section is a block of BENCHMARKS.md.
type section struct {
	name string // of its markers, and for -only
	run  func(context.Context, *runner) (*report, error)
}

// sections, in the order in which they are run.
var sections = []section{
	{"engine", engineSection},
	{"pure", pureSection},
	{"crypto", cryptoSection},
	{"codecs", codecsSection},
	{"echo", echoSection},
	{"data", dataSection},
	{"growth", growthSection},
	{"latency", latencySection},
	{"forged", forgedSection},
}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

// turns calls f for every turn.
func (r *runner) turns(f func() error) error {
	for i := range r.count {
		r.say("  turn %d of %d", i+1, r.count)
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) times() string { return strconv.Itoa(r.count) }
