package main

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func twoProcesses() config {
	cfg, err := parseFlags([]string{"-processes", "2"})
	if err != nil {
		panic(err)
	}
	return cfg
}

func TestFigures(t *testing.T) {
	before := sample{User: time.Second, SentPackets: 5, RejectsIn: rejects{"T04": 2, "F08": 1}}
	after := sample{
		User: 2 * time.Second, System: time.Second, Allocs: 500, SentPackets: 1_000_005, PacketsIn: 1_000_000, Vectors: 20_000,
		FramesOut: 1_000_000, Writes: 10_000, RejectsIn: rejects{"T04": 12, "F08": 1},
	}
	m := measured{
		window: 2 * time.Second, sender: after.minus(before), receiver: sample{User: time.Second, FramesOut: 1_000_000, Writes: 10_000},
		sent: 7, received: 7,
	}
	r := m.figures(twoProcesses())
	if r.RoundTrips != 1_000_000 || r.RoundTripsPerSecond != 500_000 {
		t.Errorf("%d round trips, %v /s", r.RoundTrips, r.RoundTripsPerSecond)
	}
	if *r.CPU.Sender != 2000 || *r.CPU.Receiver != 1000 || r.CPU.Total != 3000 || r.CPU.User != 2000 || r.CPU.System != 1000 {
		t.Errorf("CPU %v %v %+v", *r.CPU.Sender, *r.CPU.Receiver, r.CPU)
	}
	if len(r.Rejects) != 1 || r.Rejects["T04"] != 10 {
		t.Errorf("rejects of the window: %v", r.Rejects)
	}
	if r.FramesPerWrite != 100 || r.PacketsPerVector != 50 || r.Allocs != 0.0005 {
		t.Errorf("%v frames a write, %v packets a vector, %v allocations", r.FramesPerWrite, r.PacketsPerVector, r.Allocs)
	}
	if !r.good() {
		t.Error("a run whose money agrees is bad")
	}
	m.received--
	if r := m.figures(twoProcesses()); r.good() || r.MoneyAgrees {
		t.Error("a lost unit goes unnoticed")
	}
	m.received++
	m.failure = errors.New("a link burnt down")
	if m.figures(twoProcesses()).good() {
		t.Error("a failure goes unnoticed")
	}
	if one := (measured{sender: after}).figures(config{processes: 1}); one.CPU.Sender != nil || one.CPU.Receiver != nil || one.CPU.Total != 3000 {
		t.Errorf("one process: %+v", one.CPU)
	}
}

func TestTheCollectorsShareIsOfTheProcessesOwnTime(t *testing.T) {
	before := sample{User: time.Second, Collections: 9, Collector: time.Second}
	m := measured{
		sender:   sample{User: 9 * time.Second, System: 2 * time.Second, Collections: 11, Collector: 1500 * time.Millisecond}.minus(before),
		receiver: sample{User: 4 * time.Second, System: time.Second},
	}
	percent, n := m.collector(true)
	if *percent.Sender != 5 || *percent.Receiver != 0 || percent.Total != 3.333 {
		t.Errorf("%v %% of the sender, %v %% of the receiver, %v %% of both", *percent.Sender, *percent.Receiver, percent.Total)
	}
	if *n.Sender != 2 || *n.Receiver != 0 || n.Total != 2 {
		t.Errorf("%v collections of the sender, %v of the receiver", *n.Sender, *n.Receiver)
	}
	if percent, n := m.collector(false); percent != (perEnd{Total: 5}) || n != (perEnd{Total: 2}) {
		t.Errorf("one process: %+v, %+v", percent, n)
	}
	if percent, _ := (measured{}).collector(true); percent.Total != 0 {
		t.Errorf("%v %% of nothing", percent.Total)
	}
}

// TestCollectionsCountWhenTheyAreDone: nothing is missed, and nothing is forced.
func TestCollectionsCountWhenTheyAreDone(t *testing.T) {
	_, n0, cpu0 := heap()
	_, n1, cpu1 := heap()
	if n1 == n0 && cpu1 != cpu0 {
		t.Errorf("%v of CPU for no collection", cpu1-cpu0)
	}
	runtime.GC()
	if _, n2, cpu2 := heap(); n2 <= n1 || cpu2 <= cpu1 {
		t.Errorf("a collection counts %d and took %v", n2-n1, cpu2-cpu1)
	}
}

func TestTable(t *testing.T) {
	sender, receiver := 1006.0, 986.0
	most, least := 0.03, 0.01
	r := result{
		RoundTrips: 4_812_345, RoundTripsPerSecond: 481_234.4, MeasuredSeconds: 10,
		CPU:  cpuFigures{&sender, &receiver, 1992, 1902, 90},
		Loop: closedLoop, Latency: latency{P50: 3_997_695, P90: 4_587_519, P99: 6_684_671, P999: 9_961_471, Max: 1_198_532_600},
		Rejects: rejects{"T04": 1200, "F99": 3}, Sent: "18446744073709551615", Received: "18446744073709551615", MoneyAgrees: true,
		Collector: perEnd{&most, &least, 0.02}, Collections: perEnd{nil, nil, 3},
		Allocs: 0.0001, FramesPerWrite: 256, PacketsPerVector: 64, Null: &nullFigure{MessagesPerSecond: 7_774_959.3, CPUPerMessage: 128.9, FramesPerWrite: 255.4, Loop: closedLoop}, Config: twoProcesses().shape(),
	}
	r.Config.CPUs = []int{0, 2, 4, 6}
	const want = `Millrace loadgen, profile default: 8 links, 10,000 connections, window 256, 2 processes, measured 10.0 s

  event loops           sender on processor 0, 2; receiver on processor 4, 6
  round trips           4,812,345   481,234 /s
  CPU per round trip    1.99 µs   (sender 1.01 µs, receiver 986 ns; user 1.90 µs, system 90 ns)
  latency               p50 4.00 ms   p90 4.59 ms   p99 6.68 ms   p99.9 9.96 ms   max 1.20 s   (closed loop, from writing)
  allocations           0.00 per round trip
  garbage collector     0.02 % of CPU at most, 3 collections   (sender 0.03 %, receiver 0.01 %)
  frames per write      256.0   packets per vector 64.0
  rejects               F99 3, T04 1,200
  null engine           7,774,959 /s   129 ns of CPU per message   255.4 frames per write
  above null            1.86 µs of CPU per round trip
  sent                  18,446,744,073,709,551,615
  received              18,446,744,073,709,551,615

money agrees
`
	var b strings.Builder
	r.table(&b)
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	r.MoneyAgrees, r.Received, r.Failure, r.Interrupted, r.Null, r.Config.CPUs = false, "5", "no luck", true, nil, nil
	b.Reset()
	r.table(&b)
	for _, line := range []string{"FAILED: no luck\n", "money does NOT agree: sent 18446744073709551615, received 5\n", "event loops           where the system puts them\n", "measured 10.0 s (interrupted)\n"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("figures of a null engine that did not run:\n%s", b.String())
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1000), "1,000"}, {grouped(1234567), "1,234,567"},
		{nanos(0), "0 ns"}, {nanos(999), "999 ns"}, {nanos(1500), "1.50 µs"}, {nanos(2.5e6), "2.50 ms"}, {nanos(3e9), "3.00 s"}, {nanos(-42), "-42 ns"},
		{rejects{}.String(), "none"}, {processes(1), "1 process"}, {processes(2), "2 processes"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTheLiveLineShowsTheLastSecond(t *testing.T) {
	var b strings.Builder
	l := newLive(&b)
	start := time.Unix(1000, 0)
	l.begin(sample{At: start, SentPackets: 100, RejectsIn: rejects{"T04": 1}})
	l.second(sample{At: start.Add(time.Second), SentPackets: 1100, InFlight: 2048, RejectsIn: rejects{"T04": 4}})
	l.second(sample{At: start.Add(2 * time.Second), SentPackets: 3100, RejectsIn: rejects{"T04": 4}})
	const want = "   1.0 s   1,000 round trips/s   2,048 in flight   3 rejects\n   2.0 s   2,000 round trips/s   0 in flight   0 rejects\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
