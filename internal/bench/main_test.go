package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A section is run from its commands to its table. Nothing is written.
func TestQuickDryRunPrintsTheTable(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the codecs' benchmarks")
	}
	page := filepath.Join("..", "..", "BENCHMARKS.md")
	before, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if status := run([]string{"-quick", "-dry", "-count", "2", "-only", "codecs"}, &stdout, &stderr); status != exitDone {
		t.Fatalf("status %d\n%s", status, stderr.String())
	}
	for _, want := range []string{
		opening("codecs") + "\n**Quick run, too short to compare.** ",
		"; medians of 2, what they lie between in brackets.\n",
		"\n    go test -pgo $PWD/profiles/default.pgo -run '^$' -bench '.' -benchtime 5ms -count 2 ./codec/...\n",
		"\n| package | benchmark | ns | allocations |\n|---|---|---|---|\n",
		closing + "\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	for _, p := range codecPackages {
		if !regexp.MustCompile(`(?m)^\| ` + p + ` \| \S+ \| [\d.]+ (\[[\d.]+, [\d.]+\] )?\| 0 \|$`).MatchString(stdout.String()) {
			t.Errorf("no figure of %s that stands without an allocation in\n%s", p, stdout.String())
		}
	}
	if after, err := os.ReadFile(page); err != nil || string(after) != string(before) {
		t.Errorf("-dry wrote BENCHMARKS.md: %v", err)
	}
}

func TestWrongUsageIsToldBeforeAnythingRuns(t *testing.T) {
	for _, args := range [][]string{{"-only", "nobody"}, {"-only", "codecs,"}, {"-count", "0"}, {"-count", "x"}, {"codecs"}, {"-what"}} {
		var stdout, stderr strings.Builder
		if status := run(args, &stdout, &stderr); status != exitUsage || stderr.Len() == 0 || stdout.Len() > 0 {
			t.Errorf("%q: status %d, %q", args, status, stderr.String())
		}
	}
	var stdout, stderr strings.Builder
	if status := run([]string{"-h"}, &stdout, &stderr); status != exitDone || !strings.Contains(stdout.String(), "engine, pure, crypto") {
		t.Errorf("-h: status %d\n%s", status, stdout.String())
	}
}

// TestThePageHasABlockForEachSection, and the plots that its blocks show.
func TestThePageHasABlockForEachSection(t *testing.T) {
	root := filepath.Join("..", "..")
	if err := checkPage(filepath.Join(root, "BENCHMARKS.md")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "BENCHMARKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range regexp.MustCompile(`\]\((`+plotDir+`/[^)]+)\)`).FindAllSubmatch(text, -1) {
		svg, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(string(shown[1]))))
		if err != nil {
			t.Error(err)
			continue
		}
		drawn(t, svg)
	}
}

func TestPublishWritesTheBlockAndThePlots(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "BENCHMARKS.md")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	rep := new(report)
	rep.command("go run it")
	rep.table([]string{"a", "b"}, [][]string{{"1|2"}, {"", "3"}})
	rep.plot("it.svg", "It", []byte("<svg/>"))
	r := &runner{root: root, machine: "A machine", commit: "commit 123", date: "2026-01-02", options: options{count: 5}}
	if err := publish(file, r, "one", rep, false, nil); err != nil {
		t.Fatal(err)
	}
	const block = `<!-- bench:one -->
A machine; commit 123, 2026-01-02; medians of 5, what they lie between in brackets.

    go run it

| a | b |
|---|---|
| 1\|2 | |
| | 3 |

![It](docs/plots/it.svg)
<!-- /bench -->
`
	got, err := os.ReadFile(file)
	if want := strings.Replace(page, "<!-- bench:one -->\nold\n<!-- /bench -->\n", block, 1); err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if svg, err := os.ReadFile(filepath.Join(root, "docs", "plots", "it.svg")); err != nil || string(svg) != "<svg/>" {
		t.Errorf("%v %s", err, svg)
	}
}
