package main

import (
	"context"
	"strconv"
	"strings"
)

// What runs in memory, one core, by go test -bench: the machine, the cryptography and
// the codecs.

// pureSection is the machine beside the cryptography that it calls.
func pureSection(ctx context.Context, r *runner) (*report, error) {
	const paths, chains = "^Benchmark(Receive|Send|RoundTrip)$", "^Benchmark(Stdlib)?ReceiveChain$"
	benchtime := r.pick("500ms", "20ms")
	rep := new(report)
	rep.command(goBenchCommand(paths, benchtime, "1", "./engine/stream") + "    # in turns with")
	rep.command(goBenchCommandOf("off", paths, benchtime, "1", "./engine/stream") + "    # and")
	rep.command(goBenchCommand(chains, benchtime, "1", "./aesni"))
	var machine, plain, crypto figures
	err := r.turns(func() error {
		if err := r.goBench(ctx, &machine, "engine/stream", paths, benchtime); err != nil {
			return err
		}
		if err := r.goBenchOf(ctx, &plain, unguided, "engine/stream", paths, benchtime); err != nil {
			return err
		}
		return r.goBench(ctx, &crypto, "aesni", chains, benchtime)
	})
	if err != nil {
		return nil, err
	}
	std := crypto.get(stdlibChain, "ns/op")
	var rows [][]string
	for _, name := range machine.names {
		packet := machine.get(name, "ns/packet")
		vector := name[strings.LastIndex(name, "/")+1:]
		if strings.HasPrefix(name, "Send") {
			vector = "n=32"
		}
		chain := crypto.get("ReceiveChain/B=17/"+vector, "ns/op") // as long as the packets are
		row := []string{name, packet.String(), plain.get(name, "ns/packet").String(), machine.get(name, "allocs/op").String()}
		if !strings.HasPrefix(name, "RoundTrip") {
			own := packet.minus(chain)
			row = append(row, chain.String(), own.String(), own.over(std))
		}
		rows = append(rows, row)
	}
	rep.table([]string{"path", "ns a packet", "without the profile", "allocations", "of it cryptography", "the rest", "rest by the standard library's chain"}, rows)
	rep.text("The standard library's chain (`" + stdlibChain + "`): " + std.String() + " ns. The cryptography is that of packets as long as these: 17 octets of plaintext in a prepare, 28 in its reply (`ReceiveChain/B=17`); what is left is told by the chain that the whole engine is told by, of 100 and 40 octets. What a sender seals, proves and opens of a packet is taken to cost as much as what its receiver opens, proves and seals, in vectors of 32: n is how many answers come at once, and what goes out is sealed and proved in vectors either way.")
	return rep, nil
}

// cryptoTurns is how often the cryptography is measured at least: it has a ratio of the
// least figures, too, which nothing else on the machine makes worse.
const cryptoTurns = 7

// cryptoSection is aesni beside its twins.
func cryptoSection(ctx context.Context, r *runner) (*report, error) {
	if !r.quick {
		defer func(count int) { r.count = count }(r.count)
		r.count = max(r.count, cryptoTurns)
	}
	benchtime := r.pick("300ms", "2ms")
	rep := &report{turns: r.count}
	rep.command(goBenchCommand(".", benchtime, r.times(), "./aesni"))
	var f figures
	err := r.turns(func() error { return r.goBench(ctx, &f, "aesni", ".", benchtime) })
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, name := range f.names {
		if strings.HasPrefix(name, "Stdlib") {
			continue
		}
		own, twin := f.get(name, "ns/op"), f.get(twinOf(name, &f), "ns/op")
		rows = append(rows, []string{name, own.String(), twin.String(), twin.over(own), twin.leastOver(own)})
	}
	rep.table([]string{"benchmark", "ns", "standard library", "ratio", "ratio of the least"}, rows)

	c := chart{
		title: "Sealing and opening a packet", xTitle: "plaintext, octets", yTitle: "ns", xLog: true, yLog: true,
		lines: []chartLine{
			bySize(&f, "Seal", chartLine{name: "seal"}), bySize(&f, "StdlibSeal", chartLine{name: "seal, standard library", dashed: true}),
			bySize(&f, "Open", chartLine{name: "open", hue: 1}), bySize(&f, "StdlibOpen", chartLine{name: "open, standard library", hue: 1, dashed: true}),
		},
	}
	rep.plot("crypto.svg", c.title, c.svg())
	return rep, nil
}

// twinOf is the name of a benchmark's twin. The standard library knows no vectors.
func twinOf(name string, f *figures) string {
	twin := "Stdlib" + name
	if f.get(twin, "ns/op") == nil {
		if at := strings.LastIndex(twin, "/n="); at >= 0 {
			twin = twin[:at] + "/n=1"
		}
	}
	return twin
}

// bySize gives l the points of benchmark/B=size.
func bySize(f *figures, benchmark string, l chartLine) chartLine {
	for _, full := range f.names {
		size, ok := strings.CutPrefix(full, benchmark+"/B=")
		if n, err := strconv.Atoi(size); ok && err == nil {
			l.points = append(l.points, pointOf(float64(n), f.get(full, "ns/op")))
		}
	}
	return l
}

// codecPackages have benchmarks.
var codecPackages = []string{"codec/btp", "codec/ilp", "codec/frame", "codec/oer"}

func codecsSection(ctx context.Context, r *runner) (*report, error) {
	benchtime := r.pick("100ms", "5ms")
	rep := new(report)
	rep.command(goBenchCommand(".", benchtime, r.times(), "./codec/..."))
	of := make([]figures, len(codecPackages))
	err := r.turns(func() error {
		for i, p := range codecPackages {
			if err := r.goBench(ctx, &of[i], p, ".", benchtime); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for i, p := range codecPackages {
		for _, name := range of[i].names {
			rows = append(rows, []string{p, name, of[i].get(name, "ns/op").String(), of[i].get(name, "allocs/op").String()})
		}
	}
	rep.table([]string{"package", "benchmark", "ns", "allocations"}, rows)
	return rep, nil
}
