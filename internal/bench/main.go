package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `bench runs the benchmarks and writes the tables of BENCHMARKS.md, each between its
markers, and the plots in docs/plots.

  go run ./internal/bench                  the whole set: about twenty-five minutes
  go run ./internal/bench -only crypto     one table
  go run ./internal/bench -quick -dry      does it work? about two minutes

Flags:
  -only NAME,…   only these tables: %s
  -count 5       how often everything is run, in turns; -quick: 2
  -large         growth also to 100,000 and 1,000,000 connections: five minutes more, 4 GiB
  -quick         runs too short to compare, to see that they work; tables say so
  -dry           print the tables, write nothing
  -h             this page

Nothing else should run on the machine meanwhile. The JavaScript stack takes part where
node is on the PATH and its packages are installed: make bench sees to that.
Exit status: 0 done, 1 a run failed (its table stays as it was), 2 wrong usage.
`

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// overall bounds the whole set, whatever happens.
const overall = 2 * time.Hour

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	only              []string // empty: all
	count             int
	large, quick, dry bool
}

// run is main with everything it touches handed in, except for the tree that the
// working directory is in.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintf(stdout, usage, strings.Join(sectionNames(), ", "))
		return exitDone
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "bench: %v\nbench -h explains the flags.\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, overall)
	defer cancel()
	if err := runSections(ctx, o, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func parseFlags(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&only, "only", "", "")
	f.IntVar(&o.count, "count", 0, "")
	f.BoolVar(&o.large, "large", false, "")
	f.BoolVar(&o.quick, "quick", false, "")
	f.BoolVar(&o.dry, "dry", false, "")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", f.Arg(0))
	}
	counted := false
	f.Visit(func(f *flag.Flag) { counted = counted || f.Name == "count" })
	switch {
	case !counted && o.quick:
		o.count = 2
	case !counted:
		o.count = 5
	case o.count < 1 || o.count > 100:
		return o, fmt.Errorf("-count %d: 1 to 100", o.count)
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(sectionNames(), name) {
			return o, fmt.Errorf("-only %s: there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	return o, nil
}

// runSections runs one section after the other. What a section has measured is written
// as soon as it is done, and one that fails does not keep the others from running.
func runSections(ctx context.Context, o options, stdout, stderr io.Writer) error {
	r, err := newRunner(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer r.close()
	page := filepath.Join(r.root, "BENCHMARKS.md")
	if err := checkPage(page); err != nil {
		return err
	}
	var failed []error
	for _, s := range sections {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		began := time.Now()
		r.say("%s: begins", s.name)
		rep, err := s.run(ctx, r)
		if ctx.Err() != nil {
			return errors.Join(append(failed, fmt.Errorf("%s: %w", s.name, ctx.Err()))...)
		}
		if err == nil {
			err = publish(page, r, s.name, rep, o.dry, stdout)
		}
		if err != nil {
			r.say("%s: %v", s.name, err)
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			continue
		}
		r.say("%s: done in %v", s.name, time.Since(began).Round(time.Second/10))
	}
	return errors.Join(failed...)
}

// checkPage says what is wrong with the markers, before an hour goes by.
func checkPage(page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	return checkMarkers(string(text), sectionNames())
}

// publish writes the block of a section and its plots. The page is read anew, so that
// what somebody has written meanwhile stays.
func publish(page string, r *runner, name string, rep *report, dry bool, stdout io.Writer) error {
	block := rep.block(r.heading(rep))
	if dry {
		_, err := fmt.Fprintf(stdout, "%s\n%s%s\n\n", opening(name), block, closing)
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	replaced, err := replaceBlock(string(text), name, block)
	if err != nil {
		return err
	}
	plots := filepath.Join(r.root, filepath.FromSlash(plotDir))
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	for _, p := range rep.plots {
		if err := os.WriteFile(filepath.Join(plots, p.file), p.svg, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(page, []byte(replaced), 0o644)
}
