package archtest

import (
	"bytes"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"strings"
)

// MaxLines bounds a Go file that a person wrote. Past it a state machine has
// begun to swallow its neighbours: look for the seam.
const MaxLines = 500

var (
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	// Written apart, so that this file does not find itself.
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	homes      = regexp.MustCompile(`(^|[^\w.~$}/-])(/(home|Users)/\w+|/ro` + `ot/\w+|[A-Za-z]:\\Users\\)`)
)

// texts are the names of files that people read and write.
var texts = map[string]bool{
	".go": true, ".md": true, ".s": true, ".sh": true, ".mjs": true, ".js": true, ".txt": true, ".yml": true, ".yaml": true,
	".mod": true, "": true, // the last: Makefile, LICENSE, NOTICE, .ci/run
}

// IsText says whether the file of this name is one that CheckFile reads: not
// test data, vectors, lock files, or anything binary.
func IsText(name string) bool {
	return texts[path.Ext(path.Base(name))] && !strings.Contains("/"+name, "/testdata/")
}

// CheckFile returns a sentence for each thing that is wrong with the file. The
// name is relative to the module, with slashes; machine lists paths of this
// machine that no file may contain, such as the folder of the clone.
func CheckFile(name string, content []byte, machine ...string) []string {
	if bytes.IndexByte(content, 0) >= 0 {
		return nil // a program that was built here
	}
	var bad []string
	if strings.HasSuffix(name, ".go") {
		bad = checkGo(name, content)
	}
	for i, line := range strings.Split(string(content), "\n") {
		if w := unfinished.FindString(line); w != "" {
			bad = append(bad, fmt.Sprintf("%s:%d: %s: finish it first", name, i+1, w))
		}
		if homes.MatchString(line) {
			bad = append(bad, fmt.Sprintf("%s:%d: a path of somebody's machine", name, i+1))
			continue
		}
		for _, m := range machine {
			if strings.Contains(line, m) {
				bad = append(bad, fmt.Sprintf("%s:%d: a path of this machine: %s", name, i+1, m))
			}
		}
	}
	return bad
}

func checkGo(name string, content []byte) []string {
	var bad []string
	if n := bytes.Count(content, []byte("\n")); n > MaxLines && !strings.HasSuffix(name, "_test.go") && !generated.Match(content) {
		bad = append(bad, fmt.Sprintf("%s: %d lines, over %d: look for the seam", name, n, MaxLines))
	}
	formatted, err := format.Source(content)
	switch {
	case err != nil:
		bad = append(bad, fmt.Sprintf("%s: %v", name, err))
	case !bytes.Equal(formatted, content):
		bad = append(bad, name+": not gofmt-ed")
	}
	return bad
}
