package main

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// parse adds what go test -bench printed: names without "Benchmark" and without the
// number of processors, units as they were printed. It returns how many lines those were.
func (f *figures) parse(in io.Reader, fileName string) (int, error) {
	n := 0
	lines := benchfmt.NewReader(in, fileName)
	for lines.Scan() {
		switch rec := lines.Result().(type) {
		case *benchfmt.SyntaxError:
			return n, rec
		case *benchfmt.Result:
			n++
			name := withoutProcs(rec.Name)
			for _, v := range rec.Values {
				value, unit := v.Value, v.Unit
				if v.OrigUnit != "" { // benchfmt has made seconds of nanoseconds
					value, unit = v.OrigValue, v.OrigUnit
				}
				f.add(name, unit, value)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return n, fmt.Errorf("%s: %w", fileName, err)
	}
	return n, nil
}

// withoutProcs takes the "-2" of two processors off a name.
func withoutProcs(name benchfmt.Name) string {
	base, parts := name.Parts()
	text := string(base)
	for _, p := range parts {
		if !strings.HasPrefix(string(p), "-") {
			text += string(p)
		}
	}
	return text
}
