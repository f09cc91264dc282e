package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

// machine is where a run took place.
type machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPU  string `json:"cpu,omitempty"` // model, where the system tells it
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
}

func thisMachine() machine {
	return machine{runtime.GOOS, runtime.GOARCH, cpuModel(), runtime.NumCPU(), runtime.Version()}
}

// loopsPerEnd is how many event loops each end gets: half of the cores.
func loopsPerEnd() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// cpus are the processors of so many loops, none where the system is to place them or has
// too few, for the threads of Go, too: two that are bound would hand one of those over and back.
func (c config) cpus(loops int) []int {
	all, err := affinity.Allowed()
	if !c.pin || err != nil || len(all) < loops || runtime.GOMAXPROCS(0) < loops {
		return nil
	}
	return all[:loops]
}

// where says which loops run where.
func (s shape) where() string {
	if len(s.CPUs) == 0 {
		return "where the system puts them"
	}
	return fmt.Sprintf("sender on processor %s; receiver on processor %s", listed(s.senderCPUs()), listed(s.receiverCPUs()))
}

func listed(cpus []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(cpus), "[]"), " ", ", ")
}

// senderCPUs and receiverCPUs are those of each end.
func (s shape) senderCPUs() []int   { return s.CPUs[:len(s.CPUs)/2] }
func (s shape) receiverCPUs() []int { return s.CPUs[len(s.CPUs)/2:] }

// nullCPUs are those of the null engine's two ends.
func (s shape) nullCPUs() []int {
	if len(s.CPUs) == 0 {
		return nil
	}
	return []int{s.senderCPUs()[0], s.receiverCPUs()[0]}
}

// cpuModel is the processor's name as Linux tells it.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(info) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// version is the module's version, or the revision it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
