package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// tellingPercent is the least part of all CPU time for which a function is named.
const tellingPercent = 3.0

// functionShare is what a function took itself, without what it calls, of all samples
// and by round trip; a system call is a function, whatever enters the kernel for it.
type functionShare struct {
	Function string   `json:"function"`
	Stages   []string `json:"stages"` // that it works for, the one with most of it first
	Percent  float64  `json:"percent"`
	Nanos    float64  `json:"cpu_ns_per_round_trip"`
}

// aPartOf is the least part of a function's time for which one of its stages is named.
const aPartOf = 0.1

// functionShares are the functions that took tellingPercent or more, most first. Each
// round trip cost nanos of CPU time.
func functionShares(p *profile.Profile, nanos float64) []functionShare {
	byFunction := make(map[string]map[string]int64)
	var total int64
	eachStack(p, func(stack []string, cpu int64) {
		name := innermost(stack)
		if byFunction[name] == nil {
			byFunction[name] = make(map[string]int64)
		}
		byFunction[name][stageOf(stack)] += cpu
		total += cpu
	})
	var shares []functionShare
	for name, byStage := range byFunction {
		var sum int64
		for _, cpu := range byStage {
			sum += cpu
		}
		share := float64(sum) / float64(max(total, 1))
		if 100*share < tellingPercent {
			continue
		}
		f := functionShare{Function: name, Percent: rounded(100*share, 2), Nanos: rounded(share*nanos, 1)}
		for stage, cpu := range byStage {
			if float64(cpu) >= aPartOf*float64(sum) {
				f.Stages = append(f.Stages, stage)
			}
		}
		slices.SortFunc(f.Stages, func(a, b string) int {
			return cmp.Or(cmp.Compare(byStage[b], byStage[a]), cmp.Compare(a, b))
		})
		shares = append(shares, f)
	}
	slices.SortFunc(shares, func(a, b functionShare) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(a.Function, b.Function))
	})
	return shares
}

// innermost is the function that a sample is of: the last before the kernel, else the
// innermost. Ours are named from the module, and generic ones without their types.
func innermost(stack []string) string {
	if len(stack) == 0 {
		return "nothing"
	}
	at := 0
	for at+1 < len(stack) && hasPrefix(stack[at], kernelEntry) && hasPrefix(stack[at+1], kernelEntry) {
		at++
	}
	name := strings.TrimPrefix(stack[at], module)
	if open, end := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']'); open >= 0 && end > open {
		name = name[:open] + name[end+1:]
	}
	return name
}
