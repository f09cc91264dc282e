// Command twins reads what `go test -bench` prints and writes a table of each benchmark
// beside its twin on the standard library, BenchmarkX beside BenchmarkStdlibX:
//
//	go test -run '^$' -bench . -count 7 ./aesni | go run ./internal/twins
//
// Figures are the least of the runs, and the greatest in brackets: whatever else a
// machine does only ever adds.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := table(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "twins:", err)
		os.Exit(1)
	}
}

var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

func table(in io.Reader, out io.Writer) error {
	runs := make(map[string][]float64)
	var names []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			if text := lines.Text(); strings.HasPrefix(text, "cpu:") || strings.HasPrefix(text, "FAIL") {
				if _, err := fmt.Fprintln(out, text); err != nil {
					return err
				}
			}
			continue
		}
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return err
		}
		if runs[m[1]] == nil {
			names = append(names, m[1])
		}
		runs[m[1]] = append(runs[m[1]], ns)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	text := "\n| benchmark | ns | standard library | ratio |\n|---|---|---|---|\n"
	for _, name := range names {
		if strings.HasPrefix(name, "Stdlib") {
			continue
		}
		twin := runs[twinOf(name, runs)]
		if twin == nil {
			text += fmt.Sprintf("| %s | %s | | |\n", name, spread(runs[name]))
			continue
		}
		text += fmt.Sprintf("| %s | %s | %s | %.2f |\n", name, spread(runs[name]), spread(twin), slices.Min(twin)/slices.Min(runs[name]))
	}
	_, err := io.WriteString(out, text)
	return err
}

// twinOf is the name of a benchmark's twin. The standard library knows no vectors.
func twinOf(name string, runs map[string][]float64) string {
	twin := "Stdlib" + name
	if runs[twin] == nil {
		if at := strings.LastIndex(twin, "/n="); at >= 0 {
			twin = twin[:at] + "/n=1"
		}
	}
	return twin
}

func spread(ns []float64) string {
	return fmt.Sprintf("%.1f [%.1f]", slices.Min(ns), slices.Max(ns))
}
