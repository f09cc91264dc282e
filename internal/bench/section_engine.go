package main

import (
	"context"
	"fmt"
	"math"
)

// What the standard library needs for the cryptography of one received packet: the
// measure of everything that is not cryptography.
const stdlibChain = "StdlibReceiveChain/B=100/n=1"

// engineSection is the whole engine beside the null engine, the JavaScript stack and
// the standard library's cryptography.
func engineSection(ctx context.Context, r *runner) (*report, error) {
	long, benchtime := r.pick("5s", "300ms"), r.pick("1s", "100ms")
	pattern := r.pick("^Benchmark(Engine|LongPath)$", "^BenchmarkEngine$")
	full := []string{"-duration", r.pick("10s", "300ms")} // the collector's share wants a while
	alone := []string{"-duration", long, "-links", "1", "-size", "1"}
	rep := new(report)
	rep.command(loadgenCommand(full...) + "    # in turns with")
	rep.command(loadgenCommand(alone...))
	rep.command("node js-stream-btp.mjs --via direct --conns 50 --repeats 1 --stream alpha    # and stable; in internal/interop/peers")
	rep.command(goBenchCommand("^BenchmarkStdlibReceiveChain$/^B=100$/^n=1$", benchtime, "1", "./aesni"))
	rep.command(goBenchCommand(pattern, benchtime, "1", "./engine"))

	var f, js, bench figures
	err := r.turns(func() error {
		if err := r.whole(ctx, &f, full...); err != nil {
			return err
		}
		one, err := r.loadgen(ctx, alone...)
		if err != nil {
			return err
		}
		f.add("alone", "/s", one.RoundTripsPerSecond)
		f.add("alone", "cpu-ns", one.CPU.Total)
		if r.node != "" {
			for _, line := range jsLines {
				if err := r.jsMoney(ctx, &js, line); err != nil {
					return err
				}
			}
		}
		if err := r.goBench(ctx, &bench, "aesni", "^BenchmarkStdlibReceiveChain$/^B=100$/^n=1$", benchtime); err != nil {
			return err
		}
		return r.goBench(ctx, &bench, "engine", pattern, benchtime)
	})
	if err != nil {
		return nil, err
	}
	engineTables(rep, &f, &js, &bench)
	return rep, r.profileTables(ctx, rep)
}

// whole is a run of loadgen with all its figures.
func (r *runner) whole(ctx context.Context, f *figures, args ...string) error {
	res, err := r.loadgen(ctx, args...)
	if err != nil {
		return err
	}
	for unit, v := range map[string]float64{
		"/s": res.RoundTripsPerSecond, "cpu-ns": res.CPU.Total, "sender-ns": res.CPU.Sender, "receiver-ns": res.CPU.Receiver,
		"user-ns": res.CPU.User, "system-ns": res.CPU.System, "p50-ns": res.Latency.P50, "p99-ns": res.Latency.P99,
		"p999-ns": res.Latency.P999, "frames/write": res.FramesPerWrite, "packets/vector": res.PacketsPerVector, "allocs": res.Allocs,
		"sender-gc": res.Collector.Sender, "receiver-gc": res.Collector.Receiver, "collections": res.Collections.Total,
	} {
		f.add("engine", unit, v)
	}
	if res.Null != nil {
		f.add("null", "/s", res.Null.MessagesPerSecond)
		f.add("null", "cpu-ns", res.Null.CPUPerMessage)
	}
	return nil
}

func engineTables(rep *report, f, js, bench *figures) {
	e := func(unit string) sample { return f.get("engine", unit) }
	cpu, null, chain := e("cpu-ns"), f.get("null", "cpu-ns"), bench.get(stdlibChain, "ns/op")
	above := cpu.minus(null)
	rows := [][]string{
		{"round trips/s", e("/s").String()},
		{"CPU per round trip, both ends and kernel, ns", cpu.String()},
		{"… sender", e("sender-ns").String()},
		{"… receiver", e("receiver-ns").String()},
		{"… user", e("user-ns").String()},
		{"… system", e("system-ns").String()},
		{"latency p50 in the closed loop, ms", e("p50-ns").in(1e6).String()},
		{"… p99", e("p99-ns").in(1e6).String()},
		{"… p99.9", e("p999-ns").in(1e6).String()},
		{"frames per write / packets per vector", e("frames/write").String() + " / " + e("packets/vector").String()},
		{"allocations per round trip, both processes", e("allocs").String()},
		{"garbage collector's share of CPU at most, %, sender / receiver", e("sender-gc").String() + " / " + e("receiver-gc").String()},
		{"… collections in the measured time, both processes", e("collections").String()},
		{"null engine, messages/s", f.get("null", "/s").String()},
		{"null engine, CPU per message, both ends, ns", null.String()},
		{"CPU per round trip above the null engine's, ns", above.String()},
		{"… by the standard library's chain of a received packet, " + chain.String() + " ns", above.over(chain)},
		{"one connection alone on one link, round trips/s", f.get("alone", "/s").String()},
		{"… by the rate above", f.get("alone", "/s").over(e("/s"))},
		{"money", "agrees in every run"},
	}
	best := bestLine(js, "packets/s")
	for _, name := range js.names {
		rows = append(rows,
			[]string{"JavaScript, ilp-protocol-stream " + name + ", packets/s", js.get(name, "packets/s").String()},
			[]string{"… CPU per packet, µs", js.get(name, "cpu-ns").in(1e3).String()})
	}
	if best == "" {
		rows = append(rows, []string{"JavaScript", "not run: no Node, or its packages are not installed"})
	} else {
		rows = append(rows, []string{"**rate by JavaScript's better line**", "**" + e("/s").over(js.get(best, "packets/s")) + " ×**"})
	}
	rep.table([]string{"figure", "median"}, rows)
	benchTable(rep, bench, "ns/op", "cpu-ns/op", "frames/write", "packets/s", "allocs/op")

	rates := bars{title: "Round trips a second", xTitle: "a second"}
	cpus := bars{title: "CPU per round trip, both ends and kernel", xTitle: "ns"}
	if best != "" {
		rates.bars = append(rates.bars, bar{"JavaScript " + best, js.get(best, "packets/s")})
		cpus.bars = append(cpus.bars, bar{"JavaScript " + best, js.get(best, "cpu-ns")})
	}
	rates.bars = append(rates.bars, bar{"Millrace", e("/s")}, bar{"null engine (messages)", f.get("null", "/s")})
	cpus.bars = append(cpus.bars, bar{"Millrace", cpu}, bar{"null engine (messages)", null})
	rep.plot("engine-rate.svg", rates.title, rates.svg())
	rep.plot("engine-cpu.svg", cpus.title, cpus.svg())
}

// bestLine is the faster of the published lines, or "".
func bestLine(js *figures, unit string) string {
	best, most := "", math.Inf(-1)
	for _, name := range js.names {
		if v := js.get(name, unit).median(); v > most {
			best, most = name, v
		}
	}
	return best
}

// benchTable is benchmarks by the units that any of them has.
func benchTable(rep *report, f *figures, units ...string) {
	head := []string{"benchmark"}
	var used []string
	for _, unit := range units {
		for _, name := range f.names {
			if f.get(name, unit) != nil {
				used, head = append(used, unit), append(head, unit)
				break
			}
		}
	}
	var rows [][]string
	for _, name := range f.names {
		row := []string{name}
		for _, unit := range used {
			s := f.get(name, unit)
			if unit == "ns/op" && s.median() == 0 { // it reports another unit instead
				s = nil
			}
			row = append(row, fmt.Sprint(s))
		}
		rows = append(rows, row)
	}
	rep.table(head, rows)
}
