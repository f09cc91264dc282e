package main

import (
	"strings"
	"testing"
)

func TestTableSetsTwinsSideBySide(t *testing.T) {
	const in = `goos: linux
cpu: Some Processor
BenchmarkSeal/B=100-2   	 100	        20.0 ns/op	5000 MB/s	       0 B/op
BenchmarkSeal/B=100-2   	 100	        25.0 ns/op
BenchmarkFulfill/B=100/n=32-2   	 100	        50 ns/op
BenchmarkIV-2   	 100	        3.5 ns/op
BenchmarkStdlibSeal/B=100-2   	 100	        160 ns/op
BenchmarkStdlibSeal/B=100-2   	 100	        150 ns/op
BenchmarkStdlibFulfill/B=100/n=1-2   	 100	        200 ns/op
ok  	package	1s
`
	const want = `cpu: Some Processor

| benchmark | ns | standard library | ratio |
|---|---|---|---|
| Seal/B=100 | 20.0 [25.0] | 150.0 [160.0] | 7.50 |
| Fulfill/B=100/n=32 | 50.0 [50.0] | 200.0 [200.0] | 4.00 |
| IV | 3.5 [3.5] | | |
`
	var out strings.Builder
	if err := table(strings.NewReader(in), &out); err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
