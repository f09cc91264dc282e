package sim

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Report adds up the results of many runs. The zero value is empty.
type Report struct {
	Seeds, Packets, Events, Completed uint64
	VirtualNs                         int64
	Hash                              uint64 // of all fingerprints, whatever their order
	Faults                            [faultCount]uint64
	Rejects                           map[ilp.Code]uint64
	Frames                            [32]uint64
	Violations                        []*Violation
}

// Add adds a result.
func (t *Report) Add(r *Result) {
	t.Seeds++
	t.Packets += r.Packets
	t.Events += r.Events
	t.Completed += uint64(r.Completed)
	t.VirtualNs += r.VirtualNs
	t.Hash += (r.Hash ^ r.Seed) * 0x9e3779b97f4a7c15
	for i, n := range r.Counts {
		t.Faults[i] += n
	}
	if t.Rejects == nil {
		t.Rejects = map[ilp.Code]uint64{}
	}
	for c, n := range r.Rejects {
		t.Rejects[c] += n
	}
	for i, n := range r.Frames {
		t.Frames[i] += n
	}
	if r.Violation != nil {
		t.Violations = append(t.Violations, r.Violation)
	}
}

// Injected is how many faults there were.
func (t *Report) Injected() uint64 {
	var n uint64
	for _, k := range t.Faults {
		n += k
	}
	return n
}

// frameTypes are all frames of STREAM.
var frameTypes = []frame.Type{
	frame.TypeConnectionClose, frame.TypeConnectionNewAddress, frame.TypeConnectionMaxData, frame.TypeConnectionDataBlocked,
	frame.TypeConnectionMaxStreamID, frame.TypeConnectionStreamIDBlocked, frame.TypeConnectionAssetDetails, frame.TypeStreamClose,
	frame.TypeStreamMoney, frame.TypeStreamMaxMoney, frame.TypeStreamMoneyBlocked, frame.TypeStreamData, frame.TypeStreamMaxData,
	frame.TypeStreamDataBlocked, frame.TypeStreamReceipt,
}

// rejectCodes are the codes that an end point rejects with, or is rejected with.
var rejectCodes = []ilp.Code{
	ilp.F00, ilp.F01, ilp.F02, ilp.F03, ilp.F04, ilp.F05, ilp.F06, ilp.F07, ilp.F08, ilp.F99, ilp.R00, ilp.R01, ilp.R02, ilp.R99,
	ilp.T00, ilp.T01, ilp.T02, ilp.T03, ilp.T04, ilp.T05, ilp.T99,
}

// Missing names the faults, reject codes and frames that were seen less than
// so many times.
func (t *Report) Missing(least uint64) []string {
	var out []string
	for f := range faultCount {
		if t.Faults[f] < least {
			out = append(out, "fault "+f.String())
		}
	}
	for _, c := range rejectCodes {
		if t.Rejects[c] < least {
			out = append(out, "reject "+c.String())
		}
	}
	for _, f := range frameTypes {
		if t.Frames[f&31] < least {
			out = append(out, "frame "+f.String())
		}
	}
	return out
}

// Print writes the report. elapsed is how long the runs took.
func (t *Report) Print(w io.Writer, elapsed time.Duration) {
	_, _ = io.WriteString(w, t.text(elapsed))
}

func (t *Report) text(elapsed time.Duration) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%d seeds, %d packets at end points (%.0f a second), %d events, %.1f virtual hours, %d faults, %d connections completed, fingerprint %016x\n",
		t.Seeds, t.Packets, float64(t.Packets)/elapsed.Seconds(), t.Events, float64(t.VirtualNs)/3.6e12, t.Injected(), t.Completed, t.Hash)
	var parts []string
	for f := range faultCount {
		parts = append(parts, fmt.Sprintf("%v %d", f, t.Faults[f]))
	}
	fmt.Fprintln(&w, "faults:", strings.Join(parts, ", "))
	parts = parts[:0]
	for c, n := range t.Rejects {
		parts = append(parts, fmt.Sprintf("%v %d", c, n))
	}
	slices.Sort(parts)
	fmt.Fprintln(&w, "rejects:", strings.Join(parts, ", "))
	parts = parts[:0]
	for _, f := range frameTypes {
		parts = append(parts, fmt.Sprintf("%v %d", f, t.Frames[f&31]))
	}
	fmt.Fprintln(&w, "frames:", strings.Join(parts, ", "))
	fmt.Fprintf(&w, "checks: %s\n", strings.Join(Checks, " "))
	if len(t.Violations) == 0 {
		fmt.Fprintln(&w, "violations: none")
		return w.String()
	}
	by := map[string][]uint64{}
	for _, v := range t.Violations {
		by[v.Name] = append(by[v.Name], v.Seed)
	}
	for _, name := range Checks {
		if seeds := by[name]; len(seeds) > 0 {
			slices.Sort(seeds)
			fmt.Fprintf(&w, "violations of %s: %d, seeds %v\n", name, len(seeds), seeds[:min(len(seeds), 20)])
		}
	}
	return w.String()
}

// ParseFaults reads a comma-separated list of faults.
func ParseFaults(list string) (Faults, error) {
	var s Faults
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(faultNames[:], strings.TrimSpace(name))
		if i < 0 {
			return 0, fmt.Errorf("no fault is called %q", name)
		}
		s |= 1 << i
	}
	return s, nil
}

// Shrink looks for fewer faults and a shorter first phase with which a seed
// still violates the same check, and says what it found.
func Shrink(cfg Config, r *Result) string {
	if r.Violation == nil {
		return "nothing to shrink"
	}
	name := r.Violation.Name
	cfg.Faults, cfg.MaxSafety = r.On, r.SafetyNs
	best := r
	for again := true; again; {
		again = false
		for f := range faultCount {
			if !cfg.Faults.Has(f) {
				continue
			}
			less := cfg
			less.Faults &^= 1 << f
			if got := Run(less); got.Violation != nil && got.Violation.Name == name {
				cfg, best, again = less, &got, true
			}
		}
	}
	for cfg.MaxSafety > 1e8 {
		less := cfg
		less.MaxSafety /= 2
		got := Run(less)
		if got.Violation == nil || got.Violation.Name != name {
			break
		}
		cfg, best = less, &got
	}
	return fmt.Sprintf("seed %d, faults %v, first phase %v, event %d: %v",
		cfg.Seed, cfg.Faults, time.Duration(cfg.MaxSafety), best.Violation.Event, best.Violation.Detail)
}
