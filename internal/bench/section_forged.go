package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
)

// forgedSection is packets that nobody sealed beside honest ones: in memory, and over
// sockets beside a load that goes on.
func forgedSection(ctx context.Context, r *runner) (*report, error) {
	const pattern, honest, flood = "^Benchmark(Forged|Receive)$/^(token=.*|conns=1000)$/^n=32$", "Receive/conns=1000/n=32", "^BenchmarkFlood$"
	benchtime, floodTime := r.pick("500ms", "20ms"), r.pick("500ms", "50ms")
	floods := runtime.GOOS == "linux" // where the CPU of one loop is counted
	rep := new(report)
	rep.command(goBenchCommand(pattern, benchtime, "1", "./engine/stream") + "    # in turns with")
	rep.command(goBenchCommand(flood, floodTime, "1", "./engine"))
	var f, beside figures
	err := r.turns(func() error {
		if err := r.goBench(ctx, &f, "engine/stream", pattern, benchtime); err != nil || !floods {
			return err
		}
		return r.goBench(ctx, &beside, "engine", flood, floodTime)
	})
	if err != nil {
		return nil, err
	}
	base := f.get(honest, "ns/packet")
	if base == nil {
		return nil, fmt.Errorf("nothing is called %s", honest)
	}
	var rows [][]string
	for _, name := range f.names {
		s := f.get(name, "ns/packet")
		rows = append(rows, []string{name, s.String(), s.over(base), f.get(name, "allocs/op").String()})
	}
	rep.table([]string{"benchmark", "ns a packet", "by an honest one", "allocations"}, rows)
	if floods {
		floodTable(rep, &beside)
	}
	return rep, nil
}

// floodTable is what a flood leaves of the honest load.
func floodTable(rep *report, f *figures) {
	rep.text("Over sockets, one loop: honest load on one link, window 1,024, and a flood on another that keeps a window of forged packets on their way. " +
		"CPU is that of the receiver's loop with the kernel's part, for a packet alone; the honest share is the part of the loop's CPU that the honest packets " +
		"get by those costs, which does not depend on what else runs on the machine, as the rate does: sender, receiver and flood share its cores.")
	var rows [][]string
	for _, name := range f.names {
		at := func(unit string) sample { return f.get(name, unit) }
		none := f.get(withoutFlood(name), "honest/s")
		rows = append(rows, []string{name, at("honest/s").String(), at("honest/s").over(none), at("forged/s").String(), at("honest-share").String(),
			at("forged-ns").String(), at("forged-ns").over(at("honest-ns")), at("grown-KiB").String(), at("allocs/op").String()})
	}
	rep.table([]string{"benchmark", "honest round trips/s", "by those without a flood", "forged packets/s", "honest share of the loop",
		"CPU of a forged packet, ns", "by an honest one", "resident memory after a million, KiB more", "allocations"}, rows)
}

// withoutFlood is the name of the benchmark that a flood is compared with: of the same
// receiver.
func withoutFlood(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		switch {
		case strings.HasPrefix(p, "kind="):
			parts[i] = "kind=none"
		case strings.HasPrefix(p, "window="):
			return strings.Join(parts[:i], "/")
		}
	}
	return name
}
