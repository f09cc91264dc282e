package main

import (
	"strings"
	"testing"
)

func TestAFloodIsComparedWithTheSameReceiverWithoutOne(t *testing.T) {
	var f figures
	for _, c := range []struct {
		name string
		rate float64
	}{{"Flood/kind=none/bound=1024", 100}, {"Flood/kind=bad/bound=1024/window=8192", 50}, {"Flood/kind=none/bound=none", 80}, {"Flood/kind=bad/bound=none/window=8192", 20}} {
		f.add(c.name, "honest/s", c.rate)
		f.add(c.name, "forged-ns", 300)
		f.add(c.name, "honest-ns", 400)
	}
	rep := new(report)
	floodTable(rep, &f)
	for _, want := range []string{
		"| Flood/kind=bad/bound=1024/window=8192 | 50.0 | 0.50 | | | 300 | 0.75 |",
		"| Flood/kind=bad/bound=none/window=8192 | 20.0 | 0.25 | | | 300 | 0.75 |",
	} {
		if !strings.Contains(rep.block(""), want) {
			t.Errorf("no %q in\n%s", want, rep.block(""))
		}
	}
	if got := withoutFlood("Flood/kind=none/bound=1024"); got != "Flood/kind=none/bound=1024" {
		t.Error(got)
	}
}
