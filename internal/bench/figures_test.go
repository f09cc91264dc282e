package main

import (
	"math"
	"strings"
	"testing"
)

func TestParseTakesEveryUnitOfEveryTurn(t *testing.T) {
	const printed = `goos: linux
cpu: Some Processor
BenchmarkSeal/B=100-2   	 100	        20.0 ns/op	5000 MB/s	       0 allocs/op
BenchmarkSeal/B=100-2   	 100	        25.0 ns/op
BenchmarkReceive/conns=1000/n=32-2 	 7	 0 ns/op	 301.5 ns/packet
BenchmarkEcho/links=8/window=256-16 	 1	 -3.5 both+ns	 1024 server-ns/msg
BenchmarkOneCore 	 3	 1e+06 ns/op
PASS
ok  	package	1s
`
	var f figures
	n, err := f.parse(strings.NewReader(printed), "a package")
	if err != nil || n != 5 {
		t.Errorf("%d lines, %v", n, err)
	}
	for _, c := range []struct {
		name, unit, want string
	}{
		{"Seal/B=100", "ns/op", "22.5 [20.0, 25.0]"},
		{"Seal/B=100", "MB/s", "5,000"},
		{"Seal/B=100", "allocs/op", "0"},
		{"Receive/conns=1000/n=32", "ns/packet", "302"},
		{"Echo/links=8/window=256", "both+ns", "−3.50"},
		{"Echo/links=8/window=256", "server-ns/msg", "1,024"},
		{"OneCore", "ns/op", "1,000,000"},
		{"OneCore", "MB/s", ""},
		{"Nobody", "ns/op", ""},
	} {
		if got := f.get(c.name, c.unit).String(); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.name, c.unit, got, c.want)
		}
	}
	if got := strings.Join(f.names, " "); got != "Seal/B=100 Receive/conns=1000/n=32 Echo/links=8/window=256 OneCore" {
		t.Error(got)
	}
	if _, err := new(figures).parse(strings.NewReader("BenchmarkBroken 1 two ns/op\n"), "a package"); err == nil {
		t.Error("a line that is none was taken")
	}
}

func TestSamplesAreTheirMedianAndSpread(t *testing.T) {
	for _, c := range []struct {
		of   sample
		want string
	}{
		{nil, ""},
		{sample{7}, "7.00"},
		{sample{3, 1, 2}, "2.00 [1.00, 3.00]"},
		{sample{4, 1, 2, 3}, "2.50 [1.00, 4.00]"},
		{sample{0, 0, 0}, "0"},
		{sample{884287, 818852, 891774}, "884,287 [818,852, 891,774]"},
		{sample{0.0001, 0, 0.0002}, "0.0001 [0, 0.0002]"},
	} {
		if got := c.of.String(); got != c.want {
			t.Errorf("%v: %q, want %q", []float64(c.of), got, c.want)
		}
	}
	// The machine was half as fast in the second turn, for both.
	a, b := sample{110, 220, 110}, sample{80, 160, 80}
	if got := a.minus(b).String(); got != "30.0 [30.0, 60.0]" {
		t.Error(got)
	}
	if got := a.over(b); got != "1.38" {
		t.Error(got)
	}
	if got := a.over(nil); got != "" {
		t.Errorf("a ratio to nothing: %s", got)
	}
	if !math.IsNaN(sample(nil).median()) {
		t.Error("nothing has a median")
	}
	if b.median(); b[1] != 160 {
		t.Error("a median reorders the turns")
	}
}

func TestNumbersHaveThreeDigitsThatCount(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0001: "0.0001", 0.0995: "0.10", 0.13: "0.13", 9.994: "9.99", 9.996: "10.0", 99.94: "99.9", 99.96: "100",
		999.6: "1,000", 1234567.2: "1,234,567", -1234.5: "−1,234", -0.5: "−0.50", math.Inf(1): "", math.NaN(): "",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestRatioOfTheLeast(t *testing.T) {
	if got := (sample{30, 10, 20}).leastOver(sample{9, 5, 7}); got != "2.00" {
		t.Errorf("10 by 5 is %q", got)
	}
	if got := (sample{}).leastOver(sample{1}); got != "" {
		t.Errorf("nothing by 1 is %q", got)
	}
}
