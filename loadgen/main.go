package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// seldom is how much garbage is left to lie, in percent of what lives (GOGC): what little
// lives here is loadgen's own, and collections by the dozen while connections open would
// take the loops' processors.
const seldom = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(seldom)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with everything it touches handed in.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == receiverArg {
		signal.Ignore(os.Interrupt) // the terminal tells both; the parent decides
		return serveReceiver(stdin, stdout, stderr)
	}
	cfg, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(stdout, usage)
		return exitDone
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "loadgen: %v\nloadgen -h explains the flags.\n", err)
		return exitUsage
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once

	if cfg.null {
		return runNull(ctx, cfg, stdout, stderr)
	}
	return runLoad(ctx, cfg, stdout, stderr)
}

// complain says why the run failed.
func complain(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintf(stderr, "loadgen: %v\n", err)
	return exitFailed
}
