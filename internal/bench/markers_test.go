package main

import (
	"strings"
	"testing"
)

const page = `# Title
<!-- bench:one -->
old
<!-- /bench -->
prose with <!-- bench:none --> inside of a line
<!-- bench:two -->
<!-- /bench -->
the end`

func TestBlocksAreReplacedAndNothingElse(t *testing.T) {
	got, err := replaceBlock(page, "one", "new $1\nlines\n")
	if want := strings.Replace(page, "old\n", "new $1\nlines\n", 1); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	got, err = replaceBlock(got, "two", "x\n")
	if err != nil || !strings.Contains(got, "<!-- bench:two -->\nx\n<!-- /bench -->\nthe end") || !strings.Contains(got, "new $1\n") {
		t.Errorf("%v\n%s", err, got)
	}
	again, err := replaceBlock(got, "two", "x\n")
	if err != nil || again != got {
		t.Errorf("not the same the second time: %v\n%s", err, again)
	}
	if _, err := replaceBlock(page, "three", "x\n"); err == nil {
		t.Error("a block that is not there was replaced")
	}
}

func TestMarkersAreThoseOfTheSections(t *testing.T) {
	both := []string{"one", "two"}
	for _, c := range []struct {
		name, text string
		names      []string
		want       string // part of the complaint
	}{
		{"as it should be", page, both, ""},
		{"missing", page, []string{"one", "two", "three"}, "no <!-- bench:three -->"},
		{"unknown", page, []string{"one"}, "line 6: nothing writes <!-- bench:two -->"},
		{"twice", page + "\n" + page, both, "a second time"},
		{"not closed", strings.TrimSuffix(page, "<!-- /bench -->\nthe end"), both, "<!-- bench:two --> is not closed"},
		{"one in another", strings.Replace(page, closing+"\n", "", 1), both, "before <!-- bench:one --> is closed"},
		{"closes nothing", closing + "\n" + page, both, "line 1: <!-- /bench --> closes nothing"},
		{"without a name", strings.Replace(page, "bench:one", "bench:", 1), both, "nothing writes <!-- bench: -->"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkMarkers(c.text, c.names)
			if c.want == "" && err == nil {
				return
			}
			if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
