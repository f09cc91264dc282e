package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDataArrivesInOrderAndIntact(t *testing.T) {
	for _, c := range []struct{ data, size, processes string }{{"1MiB", "1", "1"}, {"100001", "30", "2"}, {"1", "2", "1"}} {
		code, r, table := runFor(t, "-data", c.data, "-size", c.size, "-links", "1", "-processes", c.processes)
		if code != exitDone || r.Data == nil || !r.Data.Intact || !strings.Contains(table, "\ndata intact\n") {
			t.Fatalf("%+v: status %d\n%s", c, code, table)
		}
		d := r.Data
		if d.Octets != d.OctetsPerConnection*uint64(r.Config.Connections) || d.OctetsPerConnection != r.Config.Data || d.Packets == 0 ||
			d.OctetsPerSecond <= 0 || d.PacketsPerSecond <= 0 || knowsCPU && d.CPU.Total <= 0 {
			t.Errorf("%+v", d)
		}
		if r.RoundTrips != 0 || strings.Contains(table, "money") {
			t.Errorf("a run of octets speaks of money:\n%s", table)
		}
	}
}

// dataRun is a run of -data with something planted.
func dataRun(t *testing.T, change func(*config)) (code int, table string) {
	t.Helper()
	cfg, err := parseFlags([]string{"-data", "1MiB", "-size", "2", "-links", "1"})
	if err != nil {
		t.Fatal(err)
	}
	change(&cfg)
	var stdout, stderr bytes.Buffer
	code = runLoad(t.Context(), cfg, &stdout, &stderr)
	return code, stdout.String()
}

func TestAWrongOctetFails(t *testing.T) {
	for _, at := range []int64{0, 65_536, 1<<20 - 1} {
		code, table := dataRun(t, func(c *config) { c.flaw = at })
		if want := "FAILED: the octet at offset " + number(float64(at), 0) + " of a stream is wrong\n"; code != exitFailed ||
			!strings.Contains(table, want) || !strings.Contains(table, "data NOT intact") {
			t.Errorf("status %d\n%s\nwant %s", code, table, want)
		}
	}
}

func TestMissingOctetsFail(t *testing.T) {
	// The receiver waits for more than the sender was told to send.
	ends := newSink(1)
	ends.octets.Store(5)
	cfg := config{data: 10, stall: 20 * time.Millisecond}
	cfg.profile.Connections, cfg.profile.Links = 1, 1
	eng, err := newEngine(shape{Loops: 1, Connections: 1}, nil, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	snd := &sender{eng: eng, shape: shape{Data: 10}}
	defer snd.stop()
	rcv := &receiver{eng: eng, sink: ends}
	var m measured
	if err := m.transfer(t.Context(), cfg, snd, rcv, newLive(&bytes.Buffer{})); err == nil || !strings.Contains(err.Error(), "5 of 10 octets") {
		t.Errorf("got %v", err)
	}
}

func TestThePatternTellsAnyChange(t *testing.T) {
	const phase, from = 65_000, 1 << 40
	var octets []byte
	for len(octets) < 200_000 {
		octets = append(octets, patternAt(phase, from+uint64(len(octets)), patternChunk)...)
	}
	if at := firstDifference(phase, from, octets); at != -1 {
		t.Fatalf("the pattern differs from itself at %d", at)
	}
	for _, at := range []int{0, 520, 521, 522, 65_536, len(octets) - 1} {
		changed := slices.Clone(octets)
		changed[at] ^= 0x80
		if got := firstDifference(phase, from, changed); got != at {
			t.Errorf("a change at %d is found at %d", at, got)
		}
	}
	swapped := slices.Concat(octets[32_768:65_536], octets[:32_768])
	if firstDifference(phase, from, swapped) < 0 || firstDifference(phase+1, from, octets) < 0 || firstDifference(phase, from, octets[1:]) < 0 {
		t.Error("order goes unnoticed")
	}
}

func TestComparingDoesNotAllocate(t *testing.T) {
	octets := patternAt(3, 0, patternChunk)
	if n := testing.AllocsPerRun(100, func() {
		if firstDifference(3, 0, octets) >= 0 {
			t.Fatal("different")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOctetsAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]uint64{
		"1": 1, "1073741824": 1 << 30, "1024K": 1 << 20, "1M": 1 << 20, "3MB": 3 << 20, "1GiB": 1 << 30, "5B": 5, "16T": 16 << 40,
	} {
		if got, err := parseOctets(text); got != want || err != nil {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "M", "1.5M", "1m", "1iB", "1MM", "1KiBB", "17T", "99999999999999999999"} {
		if got, err := parseOctets(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
