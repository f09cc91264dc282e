package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table prints the result for a person.
func (r result) table(w io.Writer) {
	c := r.Config
	p := &printer{w: w}
	p.line("Millrace loadgen, profile %s: %s links, %s connections, window %s, %s%s, measured %s s%s", c.Profile,
		grouped(uint64(c.Links)), grouped(uint64(c.Connections)), grouped(uint64(c.Window)), processes(c.Processes),
		when(c.Delay > 0, fmt.Sprintf(", path delay %v", c.Delay)),
		number(r.MeasuredSeconds, 1), when(r.Interrupted, " (interrupted)"))
	p.line("")
	p.row("event loops", "%s", r.Config.where())
	if r.Data != nil {
		r.Data.rows(p)
	} else {
		r.moneyRows(p)
	}
	r.Opening.rows(p)
	r.Asleep.row(p)
	if r.Data == nil {
		p.row("allocations", "%s per round trip", number(r.Allocs, 2))
	}
	r.collectorRow(p)
	p.row("frames per write", "%s   packets per vector %s", number(r.FramesPerWrite, 1), number(r.PacketsPerVector, 1))
	p.row("rejects", "%s", r.Rejects)
	if n := r.Null; n != nil {
		p.row("null engine", "%s", n)
		if r.Data == nil {
			p.row("above null", "%s of CPU per round trip", nanos(r.CPU.Total-n.CPUPerMessage))
		}
		n.latencyRow(p, "null latency")
	}
	if n := r.NullOpen; n != nil {
		p.row("null at this rate", "%s", n)
		n.latencyRow(p, "null latency")
	}
	if r.Data == nil {
		p.row("sent", "%s", groupedText(r.Sent))
		p.row("received", "%s", groupedText(r.Received))
	}
	if r.Data == nil {
		r.Profile.rows(p, "per round trip")
	} else {
		r.Profile.rows(p, "per packet")
	}
	p.line("")
	if r.Failure != "" {
		p.line("FAILED: %s", r.Failure)
	}
	switch {
	case r.Data != nil && r.Data.Intact:
		p.line("data intact")
	case r.Data != nil:
		p.line("data NOT intact")
	case r.MoneyAgrees:
		p.line("money agrees")
	default:
		p.line("money does NOT agree: sent %s, received %s", r.Sent, r.Received)
	}
}

// moneyRows are the figures of round trips.
func (r result) moneyRows(p *printer) {
	p.row("round trips", "%s   %s /s", grouped(r.RoundTrips), grouped(uint64(r.RoundTripsPerSecond+0.5)))
	ends := ""
	if r.CPU.Sender != nil && r.CPU.Receiver != nil {
		ends = fmt.Sprintf("sender %s, receiver %s; ", nanos(*r.CPU.Sender), nanos(*r.CPU.Receiver))
	}
	p.row("CPU per round trip", "%s   (%suser %s, system %s)", nanos(r.CPU.Total), ends, nanos(r.CPU.User), nanos(r.CPU.System))
	p.latency("latency", r.Latency, r.Loop)
	if o := r.Open; o != nil {
		p.row("arrivals", "%s, %s /s   %s due, %s of them let go 100 µs late or more%s", o.Arrivals, grouped(uint64(o.Rate+0.5)), grouped(o.Due),
			grouped(o.Behind), when(o.Unanswered > 0, ", "+grouped(o.Unanswered)+" never answered"))
		p.row("let go", "p50 %s   p99 %s after they were due   (pacing: %s of CPU per round trip)",
			nanos(float64(o.Lag.P50)), nanos(float64(o.Lag.P99)), nanos(o.Pacing))
	}
}

func (r result) collectorRow(p *printer) {
	percent := func(v float64) string { return number(v, 2) + " %" }
	ends := strings.TrimSuffix(r.Collector.ends(percent), "; ")
	p.row("garbage collector", "%s of CPU at most, %s collections%s", percent(r.Collector.Total), number(r.Collections.Total, 0), when(ends != "", "   ("+ends+")"))
}

// String is the null engine's row of the table.
func (n nullFigure) String() string {
	return fmt.Sprintf("%s /s   %s of CPU per message   %s frames per write",
		grouped(uint64(n.MessagesPerSecond+0.5)), nanos(n.CPUPerMessage), number(n.FramesPerWrite, 1))
}

func (o *openingFigures) rows(p *printer) {
	if o == nil {
		return
	}
	rate := "a fixed rate"
	if o.Probed {
		rate = "rate discovery"
	}
	if o.Reserved {
		rate += ", into memory made ready before"
	}
	p.row("CPU per opening", "%s with %s   (%scredentials %s beside)", nanos(o.CPU.Total), rate, o.CPU.ends(nanos), nanos(o.Issuing))
	p.row("longest pause", "sender %s, receiver %s, of a loop while opening", nanos(float64(o.Pause.Sender)), nanos(float64(o.Pause.Receiver)))
	if o.Memory.Total != 0 {
		octets := func(n float64) string { return number(n, 0) + " B" }
		p.row("memory per connection", "%s resident   (%s%s of it loadgen's own)", octets(o.Memory.Total), o.Memory.ends(octets), octets(o.Own))
	}
}

func (a *asleepFigures) row(p *printer) {
	if a == nil || a.Memory.Total == 0 {
		return
	}
	octets := func(n float64) string { return number(n, 0) + " B" }
	p.row("memory asleep", "%s resident per connection   (%sall slept after %s s)", octets(a.Memory.Total), a.Memory.ends(octets), number(a.Seconds, 1))
}

// ends spells the figures of both ends, if they are known.
func (e perEnd) ends(spell func(float64) string) string {
	if e.Sender == nil || e.Receiver == nil {
		return ""
	}
	return fmt.Sprintf("sender %s, receiver %s; ", spell(*e.Sender), spell(*e.Receiver))
}

func (n *nullFigure) latencyRow(p *printer, name string) {
	if n.Latency != nil {
		p.latency(name, *n.Latency, n.Loop)
	}
}

// String lists the codes in order, or says "none".
func (r rejects) String() string {
	if len(r) == 0 {
		return "none"
	}
	codes := make([]string, 0, len(r))
	for code := range r {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for i, code := range codes {
		codes[i] = code + " " + grouped(r[code])
	}
	return strings.Join(codes, ", ")
}

type printer struct{ w io.Writer }

func (p *printer) line(format string, args ...any) {
	_, _ = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (p *printer) row(name, format string, args ...any) {
	p.line("  %-21s %s", name, fmt.Sprintf(format, args...))
}

func (p *printer) latency(name string, l latency, loop string) {
	from := "from writing"
	if loop == openLoop {
		from = "from when they were due"
	}
	p.row(name, "p50 %s   p90 %s   p99 %s   p99.9 %s   max %s   (%s loop, %s)",
		nanos(float64(l.P50)), nanos(float64(l.P90)), nanos(float64(l.P99)), nanos(float64(l.P999)), nanos(float64(l.Max)), loop, from)
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return strconv.Itoa(n) + " processes"
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func number(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

// nanos spells nanoseconds in a unit that leaves one to three digits before
// the point.
func nanos(ns float64) string {
	switch {
	case ns < 0:
		return "-" + nanos(-ns)
	case ns < 1e3:
		return number(ns, 0) + " ns"
	case ns < 1e6:
		return number(ns/1e3, 2) + " µs"
	case ns < float64(time.Second):
		return number(ns/1e6, 2) + " ms"
	}
	return number(ns/1e9, 2) + " s"
}

// grouped spells a number with a comma at every third digit.
func grouped(n uint64) string { return groupedText(strconv.FormatUint(n, 10)) }

func groupedText(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
