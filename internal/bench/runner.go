package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// runner runs programs of this tree.
type runner struct {
	options
	root    string // of the module
	scratch string // for what is built
	node    string // its version; empty where the JavaScript stack cannot run
	built   map[string]bool
	stderr  io.Writer
	machine string
	commit  string
	date    string
}

const (
	buildLimit = 10 * time.Minute
	askLimit   = 10 * time.Second
	// A program that was interrupted may report for so long.
	lastWords = 15 * time.Second
)

// peersDir is where the scripts of the JavaScript stack are.
var peersDir = filepath.Join("internal", "interop", "peers")

func newRunner(ctx context.Context, o options, stderr io.Writer) (*runner, error) {
	r := &runner{options: o, built: make(map[string]bool), stderr: stderr, date: time.Now().UTC().Format(time.DateOnly)}
	var err error
	if r.root, err = moduleRoot(); err != nil {
		return nil, err
	}
	r.node = r.findNode(ctx)
	r.machine = r.describeMachine(ctx)
	r.commit = r.describeCommit(ctx)
	if r.scratch, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *runner) close() { _ = os.RemoveAll(r.scratch) }

func (r *runner) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.stderr, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// moduleRoot is the nearest folder above with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod here or above")
		}
		dir = up
	}
}

// findNode is Node's version if it and the packages are there.
func (r *runner) findNode(ctx context.Context) string {
	if _, err := os.Stat(filepath.Join(r.root, peersDir, "node_modules")); err != nil {
		r.say("the JavaScript stack is not installed, and will not be run")
		return ""
	}
	version, err := r.command(ctx, askLimit, r.root, "node", "--version")
	if err != nil {
		r.say("no node: the JavaScript stack will not be run")
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(version)), "v")
}

func (r *runner) describeMachine(ctx context.Context) string {
	system := runtime.GOOS
	if name, err := r.command(ctx, askLimit, r.root, "uname", "-sr"); err == nil {
		system, _, _ = strings.Cut(strings.TrimSpace(string(name)), "-") // without what a distribution adds
	}
	cores := "cores"
	if runtime.NumCPU() == 1 {
		cores = "core"
	}
	m := fmt.Sprintf("%s, %d %s, %s, Go %s", cpuid.CPU.BrandName, runtime.NumCPU(), cores, system, strings.TrimPrefix(runtime.Version(), "go"))
	if r.node != "" {
		m += ", Node " + r.node
	}
	return m
}

// describeCommit is the commit, and whether the tree differs from it elsewhere than in
// what is written here.
func (r *runner) describeCommit(ctx context.Context) string {
	id, err := r.command(ctx, askLimit, r.root, "git", "rev-parse", "--short=10", "HEAD")
	if err != nil {
		return "no commit"
	}
	text := "commit " + strings.TrimSpace(string(id))
	changed, err := r.command(ctx, askLimit, r.root, "git", "status", "--porcelain", "--", ".", ":!BENCHMARKS.md", ":!"+plotDir)
	if err != nil || len(changed) > 0 {
		text += " with changes"
	}
	return text
}

// heading is the line above a section's tables.
func (r *runner) heading(rep *report) string {
	turns, count := "one run", r.count
	if rep.turns > 0 {
		count = rep.turns
	}
	if count > 1 {
		turns = fmt.Sprintf("medians of %d, what they lie between in brackets", count)
	}
	quick := ""
	if r.quick {
		quick = "**Quick run, too short to compare.** "
	}
	return fmt.Sprintf("%s%s; %s, %s; %s.", quick, r.machine, r.commit, r.date, turns)
}

// pick is what a flag of a program is set to.
func (r *runner) pick(full, quick string) string {
	if r.quick {
		return quick
	}
	return full
}

// command runs a program to its end, or until limit, and returns what it printed.
func (r *runner) command(ctx context.Context, limit time.Duration, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	// The first word is a polite one: what it has started ends with it.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = lastWords
	err := c.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, lastLines(stdout.Bytes(), stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// lastLines is the end of what a program said, for an error.
func lastLines(said ...[]byte) string {
	text := bytes.TrimSpace(bytes.Join(said, []byte("\n")))
	const most = 2000
	if len(text) > most {
		text = append([]byte("…"), text[len(text)-most:]...)
	}
	return string(text)
}

// What a package is built as. The programs have a profile beside them (default.pgo) that
// guides the compiler; benchmarks are built with the same.
type buildKind int

const (
	program    buildKind = iota
	benchmarks           // the test binary
	unguided             // the test binary, without the profile
)

const guideProfile = "profiles/default.pgo"

// build builds the package at p once.
func (r *runner) build(ctx context.Context, p string, kind buildKind) (string, error) {
	out := filepath.Join(r.scratch, strings.ReplaceAll(path.Clean(p), "/", "-"))
	args := []string{"build", "-o"}
	switch kind {
	case benchmarks:
		out += ".test"
		args = []string{"test", "-pgo", filepath.Join(r.root, filepath.FromSlash(guideProfile)), "-c", "-o"}
	case unguided:
		out += ".unguided.test"
		args = []string{"test", "-pgo", "off", "-c", "-o"}
	}
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	if r.built[out] {
		return out, nil
	}
	if _, err := r.command(ctx, buildLimit, r.root, "go", append(args, out, "./"+p)...); err != nil {
		return "", err
	}
	r.built[out] = true
	return out, nil
}

// goBench runs benchmarks of a package once and adds their figures to f. Whoever wants
// five calls it five times, and something else in between.
func (r *runner) goBench(ctx context.Context, f *figures, p, pattern, benchtime string) error {
	return r.goBenchOf(ctx, f, benchmarks, p, pattern, benchtime)
}

func (r *runner) goBenchOf(ctx context.Context, f *figures, kind buildKind, p, pattern, benchtime string) error {
	binary, err := r.build(ctx, p, kind)
	if err != nil {
		return err
	}
	out, err := r.command(ctx, buildLimit, filepath.Join(r.root, filepath.FromSlash(p)), binary,
		"-test.run", "^$", "-test.bench", pattern, "-test.benchtime", benchtime, "-test.benchmem", "-test.timeout", buildLimit.String())
	if err != nil {
		return err
	}
	n, err := f.parse(bytes.NewReader(out), p)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: nothing is called %s", p, pattern)
	}
	return err
}

// goBenchCommand is goBench as one would type it.
func goBenchCommand(pattern, benchtime, count string, packages ...string) string {
	return goBenchCommandOf("$PWD/"+guideProfile, pattern, benchtime, count, packages...)
}

func goBenchCommandOf(pgo, pattern, benchtime, count string, packages ...string) string {
	return fmt.Sprintf("go test -pgo %s -run '^$' -bench '%s' -benchtime %s -count %s %s", pgo, pattern, benchtime, count, strings.Join(packages, " "))
}
