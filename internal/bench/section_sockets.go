package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// What runs over sockets beside the whole engine at full speed.

// echoSection is the transport alone beside the null engine, which runs in turns with
// it inside the benchmark.
func echoSection(ctx context.Context, r *runner) (*report, error) {
	const pattern = "^BenchmarkEcho$"
	benchtime := r.pick("5x", "1x")
	rep := new(report)
	if runtime.GOOS != "linux" {
		rep.text("Runs on Linux only, where the null engine does.")
		return rep, nil
	}
	rep.command(goBenchCommand(pattern, benchtime, r.times(), "./transport"))
	var f figures
	if err := r.turns(func() error { return r.goBench(ctx, &f, "transport", pattern, benchtime) }); err != nil {
		return nil, err
	}
	rep.text("CPU per message; `+ns` is above the null engine's of the same turn.")
	benchTable(rep, &f, "server-ns/msg", "client-ns/msg", "null-ns/msg", "server+ns", "client+ns", "both+ns", "frames/write", "calls/packet")
	return rep, nil
}

// dataSection is octets instead of money.
func dataSection(ctx context.Context, r *runner) (*report, error) {
	load := []string{"-data", r.pick("1GiB", "64MiB"), "-size", "1", "-links", "1"}
	pattern, benchtime := r.pick("^Benchmark(Data|LongPathData)$", "^BenchmarkData$/64KiB"), r.pick("4x", "1x")
	rep := new(report)
	rep.command(loadgenCommand(load...) + "    # in turns with")
	rep.command("node js-stream-loopback.mjs --mode data --repeats 1 --mib " + r.pick("16", "4") + " --stream alpha    # and stable; in internal/interop/peers")
	rep.command(goBenchCommand(pattern, benchtime, "1", "./engine"))
	const mebibyte = 1 << 20
	var f, js, bench figures
	err := r.turns(func() error {
		res, err := r.loadgen(ctx, load...)
		if err != nil {
			return err
		}
		f.add("loadgen", "MiB/s", res.Data.OctetsPerSecond/mebibyte)
		f.add("loadgen", "packets/s", res.Data.PacketsPerSecond)
		f.add("loadgen", "cpu-ms/MiB", res.Data.CPU.Total/1e6)
		if r.node != "" {
			if err := r.jsData(ctx, &js); err != nil {
				return err
			}
		}
		return r.goBench(ctx, &bench, "engine", pattern, benchtime)
	})
	if err != nil {
		return nil, err
	}
	rate := f.get("loadgen", "MiB/s")
	rows := [][]string{
		{"one stream of one connection over a socket, MiB/s", rate.String()},
		{"… packets/s", f.get("loadgen", "packets/s").String()},
		{"… CPU per MiB, both ends and kernel, ms", f.get("loadgen", "cpu-ms/MiB").String()},
		{"data", "in order and intact in every run"},
	}
	for _, name := range js.names {
		rows = append(rows,
			[]string{"JavaScript, ilp-protocol-stream " + name + ", in one process, MiB/s", js.get(name, "MiB/s").String()},
			[]string{"… CPU per MiB, ms", js.get(name, "cpu-ms/MiB").String()})
	}
	if best := bestLine(&js, "MiB/s"); best != "" {
		rows = append(rows, []string{"**rate by JavaScript's better line**", "**" + rate.over(js.get(best, "MiB/s")) + " ×**"})
	}
	rep.table([]string{"figure", "median"}, rows)
	benchTable(rep, &bench, "MB/s", "ns/op", "allocs/op")
	return rep, nil
}

// growthSection is how cost grows with the number of connections.
func growthSection(ctx context.Context, r *runner) (*report, error) {
	sizes := []int{1000, 10_000}
	if r.large {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	duration, short := r.pick("5s", "300ms"), r.pick("1s", "100ms")
	rep := new(report)
	rep.command(loadgenCommand("-duration", duration, "-size", "N") + "    # each N in turn")
	rep.command(loadgenCommand("-duration", short, "-size", "N", "-reserve") + "    # for the opening into memory that is made ready before")
	rep.command(loadgenCommand("-duration", short, "-size", "N", "-probe") + "    # for the opening with rate discovery")
	rep.command(loadgenCommand("-duration", short, "-size", "N", "-sleep", "2s") + "    # for those that sleep, once they have paid")
	var f figures
	err := r.turns(func() error {
		for _, n := range sizes {
			size := strconv.Itoa(n)
			res, err := r.loadgen(ctx, "-duration", duration, "-size", size)
			if err != nil {
				return err
			}
			f.add(size, "/s", res.RoundTripsPerSecond)
			f.add(size, "cpu-ns", res.CPU.Total)
			f.add(size, "opening-ns", res.Opening.CPU.Total)
			f.add(size, "sender-pause-ns", res.Opening.Pause.Sender)
			f.add(size, "receiver-pause-ns", res.Opening.Pause.Receiver)
			f.add(size, "sender-octets", res.Opening.Memory.Sender)
			f.add(size, "receiver-octets", res.Opening.Memory.Receiver)
			if res, err = r.loadgen(ctx, "-duration", short, "-size", size, "-reserve"); err != nil {
				return err
			}
			f.add(size, "reserved-ns", res.Opening.CPU.Total)
			f.add(size, "reserved-sender-pause-ns", res.Opening.Pause.Sender)
			f.add(size, "reserved-receiver-pause-ns", res.Opening.Pause.Receiver)
			f.add(size, "gap-ns", float64(longestGap(time.Duration(res.Opening.Seconds*1e9))))
			if res, err = r.loadgen(ctx, "-duration", short, "-size", size, "-sleep", "2s"); err != nil {
				return err
			}
			f.add(size, "asleep-sender-octets", res.Asleep.Memory.Sender)
			f.add(size, "asleep-receiver-octets", res.Asleep.Memory.Receiver)
			if n > 100_000 {
				continue // the opening alone would take as long as all else
			}
			if res, err = r.loadgen(ctx, "-duration", short, "-size", size, "-probe"); err != nil {
				return err
			}
			f.add(size, "probed-ns", res.Opening.CPU.Total)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	least := f.get("1000", "cpu-ns")
	var rows, openings [][]string
	cost := chartLine{name: "CPU per round trip, both ends"}
	for i, n := range sizes {
		at := func(unit string) sample { return f.get(strconv.Itoa(n), unit) }
		more := ""
		if i > 0 {
			more = at("cpu-ns").minus(least).String()
		}
		rows = append(rows, []string{number(float64(n)), at("/s").String(), at("cpu-ns").String(), more, at("sender-octets").String(), at("receiver-octets").String(),
			at("asleep-sender-octets").String() + " / " + at("asleep-receiver-octets").String()})
		ms := func(unit string) string {
			return at(unit+"sender-pause-ns").in(1e6).String() + " / " + at(unit+"receiver-pause-ns").in(1e6).String()
		}
		openings = append(openings, []string{number(float64(n)), at("opening-ns").String(), at("reserved-ns").String(), at("probed-ns").String(), ms(""), ms("reserved-"), at("gap-ns").in(1e6).String()})
		cost.points = append(cost.points, pointOf(float64(n), at("cpu-ns")))
	}
	rep.table([]string{"connections", "round trips/s", "CPU per round trip, ns", "more than with 1,000", "resident octets a connection, sender", "receiver", "asleep, sender / receiver"}, rows)
	rep.text("Connections are used in random order. Resident memory includes what the engine reserves at once, which few connections share.")
	rep.table([]string{"connections", "CPU per opening, fixed rate, ns", "… into memory made ready before", "… with rate discovery",
		"longest pause of a loop while opening, ms, sender / receiver", "… into memory made ready before", "… of threads that do nothing, ms"}, openings)
	rep.text("The last column is what the system takes: a thread for each processor looks at the clock, and does nothing else, afterwards for as long as the opening " +
		"into memory made ready took; the longest that one of them did not come to it.")
	c := chart{title: "CPU per round trip by number of connections", xTitle: "connections, used in random order", yTitle: "ns", xLog: true,
		lines: []chartLine{cost}, xTicksAtData: true}
	rep.plot("growth.svg", c.title, c.svg())
	return rep, nil
}

// latencySection offers shares of the maximum rate, to the engine and to the null engine.
func latencySection(ctx context.Context, r *runner) (*report, error) {
	shares := []float64{0.1, 0.25, 0.5, 0.75, 0.9}
	if r.quick {
		shares = []float64{0.1, 0.5}
	}
	duration := r.pick("3s", "300ms")
	most, err := r.loadgen(ctx, "-duration", duration)
	if err != nil {
		return nil, err
	}
	rep := new(report)
	rep.command(loadgenCommand("-duration", duration, "-rate", "R") + "    # each R in turn")
	rep.command(loadgenCommand("-duration", duration, "-rate", "R", "-pin=false") + "    # half of the maximum")
	rep.command(loadgenCommand("-duration", duration, "-window", "1"))
	var f figures
	err = r.turns(func() error {
		for _, share := range shares {
			if err := r.offered(ctx, &f, shareName(share), roundedRate(share*most.RoundTripsPerSecond), duration); err != nil {
				return err
			}
		}
		if err := r.offered(ctx, &f, unpinned, roundedRate(most.RoundTripsPerSecond/2), duration, "-pin=false"); err != nil {
			return err
		}
		one, err := r.loadgen(ctx, "-duration", duration, "-window", "1")
		if err != nil {
			return err
		}
		f.add("one", "p50", one.Latency.P50)
		if one.Null != nil {
			f.add("one", "null-p50", one.Null.Latency.P50)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rep.text(fmt.Sprintf("Open loop: latencies run from when a round trip was due, µs. The maximum rate was %s round trips/s.", number(most.RoundTripsPerSecond)))
	latencyTable(rep, &f, shares)
	us := func(unit string) string { return f.get(unpinned, unit).in(1e3).String() }
	rep.text(fmt.Sprintf("At half of the maximum with the loops where the system puts them (`-pin=false`), the null engine's too, µs: p50 %s, p99 %s, p99.9 %s; "+
		"the null engine %s, %s, %s.", us("p50"), us("p99"), us("p999"), us("null-p50"), us("null-p99"), us("null-p999")))
	p50, null := f.get("one", "p50").in(1e3), f.get("one", "null-p50").in(1e3)
	rep.text(fmt.Sprintf("With a window of 1 on each link, p50: %s µs, the null engine %s µs: %s ×.", p50, null, p50.over(null)))
	return rep, nil
}

// unpinned is what the figures are called of loops that no processor is kept for.
const unpinned = "unpinned"

// offered is one rate, of both engines.
func (r *runner) offered(ctx context.Context, f *figures, name string, rate float64, duration string, flags ...string) error {
	res, err := r.loadgen(ctx, append([]string{"-duration", duration, "-rate", strconv.FormatFloat(rate, 'f', -1, 64)}, flags...)...)
	if err != nil {
		return err
	}
	f.add(name, "rate", rate)
	f.add(name, "p50", res.Latency.P50)
	f.add(name, "p99", res.Latency.P99)
	f.add(name, "p999", res.Latency.P999)
	if n := res.NullOpen; n != nil {
		f.add(name, "null-p50", n.Latency.P50)
		f.add(name, "null-p99", n.Latency.P99)
		f.add(name, "null-p999", n.Latency.P999)
	}
	return nil
}

func shareName(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// roundedRate is rate with two digits that count, so that a command can be read.
func roundedRate(rate float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(rate, 10)))-1)
	return math.Round(rate/unit) * unit
}

func latencyTable(rep *report, f *figures, shares []float64) {
	units := []string{"p50", "p99", "p999", "null-p50", "null-p99", "null-p999"}
	names := []string{"p50", "p99", "p99.9", "null engine, p50", "null engine, p99", "null engine, p99.9"}
	lines := make([]chartLine, len(units))
	for k, name := range names {
		lines[k] = chartLine{name: name, hue: k % 3, dashed: k >= 3}
	}
	var rows [][]string
	for _, share := range shares {
		at := func(unit string) sample { return f.get(shareName(share), unit).in(1e3) }
		rate := f.get(shareName(share), "rate").median()
		row := []string{number(rate), shareName(share)}
		for k, unit := range units {
			row = append(row, at(unit).String())
			if s := at(unit); len(s) > 0 {
				lines[k].points = append(lines[k].points, pointOf(rate, s))
			}
		}
		rows = append(rows, append(row, at("p99").minus(at("null-p99")).String(), at("p999").minus(at("null-p999")).String()))
	}
	rep.table(slices.Concat([]string{"offered, round trips/s", "of the maximum"}, names, []string{"p99 above null", "p99.9 above null"}), rows)
	c := chart{title: "Latency by offered rate", xTitle: "round trips/s that are due", yTitle: "µs", yLog: true, lines: lines}
	rep.plot("latency.svg", c.title, c.svg())
}
