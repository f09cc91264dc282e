package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A block of BENCHMARKS.md is what stands between these two lines; text outside of
// blocks is nobody's but its author's.
var marker = regexp.MustCompile(`(?m)^<!-- (?:bench:(\S*)|(/bench)) -->$`)

const closing = "<!-- /bench -->"

func opening(name string) string { return "<!-- bench:" + name + " -->" }

// checkMarkers says whether text has one block for each name, and no other.
func checkMarkers(text string, names []string) error {
	seen := make(map[string]bool)
	open := ""
	for _, at := range marker.FindAllStringSubmatchIndex(text, -1) {
		closes := at[4] >= 0
		line := 1 + strings.Count(text[:at[0]], "\n")
		switch {
		case closes && open == "":
			return fmt.Errorf("line %d: %s closes nothing", line, closing)
		case closes:
			open = ""
			continue
		}
		name := text[at[2]:at[3]]
		switch {
		case open != "":
			return fmt.Errorf("line %d: %s before %s is closed", line, opening(name), opening(open))
		case !slices.Contains(names, name):
			return fmt.Errorf("line %d: nothing writes %s; there are %s", line, opening(name), strings.Join(names, ", "))
		case seen[name]:
			return fmt.Errorf("line %d: %s a second time", line, opening(name))
		}
		seen[name], open = true, name
	}
	if open != "" {
		return fmt.Errorf("%s is not closed", opening(open))
	}
	for _, name := range names {
		if !seen[name] {
			return fmt.Errorf("no %s", opening(name))
		}
	}
	return nil
}

// replaceBlock puts block, which ends with a newline, between the markers of name.
func replaceBlock(text, name, block string) (string, error) {
	head, rest, ok := cutLine(text, opening(name))
	if !ok {
		return "", fmt.Errorf("no %s", opening(name))
	}
	_, tail, ok := cutLine(rest, closing)
	if !ok {
		return "", fmt.Errorf("%s is not closed", opening(name))
	}
	return head + opening(name) + "\n" + block + closing + "\n" + tail, nil
}

// cutLine cuts text at the first line that is exactly line, and takes that out.
func cutLine(text, line string) (before, after string, ok bool) {
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if strings.TrimSuffix(text[at:end], "\n") == line {
			return text[:at], text[end:], true
		}
		at = end
	}
	return text, "", false
}
