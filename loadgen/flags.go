package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-ilp/millrace/profiles"
)

// config is one run: a profile, what the flags changed of it, and how to run it.
type config struct {
	profile     profiles.Profile
	processes   int
	json        string        // file for the JSON object, "-" for standard output, or none
	delay       time.Duration // of the path, there and back
	data        uint64        // octets of each connection, instead of money
	flaw        int64         // where tests plant a wrong octet; none below zero
	stall       time.Duration // dataPatience, which tests shorten
	order       string        // random or opened
	probe       bool          // connections discover their rate
	reserve     bool          // memory for them is made ready before
	sleep       time.Duration // after which a quiet connection sleeps, or 0 for the usual
	profileFile string        // of the CPU profile, or none
	pin         bool          // each loop has a processor of its own
	null        bool          // the null engine alone
	rate        float64       // round trips a second that are due, or 0 for a closed loop
	arrivals    string        // constant or poisson
}

// In which order a closed loop uses the connections.
const (
	randomOrder = "random"
	openedOrder = "opened"
)

// How the arrivals of an open loop are spaced.
const (
	constant = "constant"
	poisson  = "poisson"
)

// maxDelay bounds -delay, so that packets arrive before they expire.
const maxDelay = 10 * time.Second

// minSleep and maxSleep bound -sleep.
const (
	minSleep = time.Second
	maxSleep = time.Hour
)

// maxRate bounds -rate: a round trip a nanosecond.
const maxRate = 1e9

const usage = `loadgen drives STREAM connections over loopback BTP sockets, checks that the
money agrees at both ends, and prints a verdict.

  loadgen                                  10 s of the default profile
  loadgen -processes 2 -json result.json   sender and receiver in two processes
  loadgen -rate 100000                     latencies while 100,000 /s are due
  loadgen -null                            the null engine alone: the yardstick

Flags (what the profile says unless given):
  -duration 10s        how long to measure, after a short warm-up
  -links 8             account links, each one BTP socket
  -size 10000          STREAM connections, spread over the links, one stream each,
                       up to 1,000,000
  -connections 10000   the same as -size
  -order random        traffic uses the connections in an order that has nothing to do
                       with where they are in memory; opened is the order in which they
                       were opened, which caches foresee. With -rate it is random
  -probe               connections discover their rate when they are opened; it is
                       fixed otherwise
  -reserve             memory for the connections is made ready before they are opened;
                       what they take is not told then
  -sleep D             connections that are quiet for D, at least 1s, go to sleep; in the
                       end loadgen waits for all of them, and tells what they take then
                       instead of when they are awake. What few connections share weighs
                       little at -size 1000000
  -window 256          packets in flight on each link
  -rate N              open loop: N round trips a second in all are due, each on a
                       connection drawn by lot, and latencies run from when they
                       were due, so that a stall counts for all that it held up.
                       Without it the loop is closed: a packet leaves as soon as
                       the window lets it, and latencies run from its writing
  -arrivals constant   how they are spaced: constant, or poisson
  -delay D             path delay, there and back: a relay between the sockets passes
                       octets on D/2 later each way, in order. It is a process of
                       its own, which no CPU figure includes
  -data OCTETS         each connection carries so many octets instead of money (10M and
                       1GiB are powers of 1,024), and the receiver checks that they are
                       all there, right and in order. It ends when they are: there is
                       no -duration then. Best with few connections: -size 1 -links 1
  -processes 1         2 runs sender and receiver apart, on half of the cores each
  -pin=false           leaves the event loops to the system. Otherwise each has a processor
                       of its own, which it never leaves, and so have those of the null
                       engine, where there are enough (Linux, and GOMAXPROCS). Nothing else
                       keeps off them, least of all another loadgen: better =false where
                       other work runs
  -traffic default     the shape of traffic that the other flags start from
  -profile FILE        write a CPU profile of both ends, which go tool pprof reads and
                       go build -pgo takes, and add tables of CPU time by stage and by function
  -json FILE           write every figure as one JSON object ("-": standard output)
  -null                run only the null engine; otherwise it runs for a second at
                       the end, so that the figures have something to stand beside,
                       and with -rate once more at the same arrivals
  -h                   this page

Ctrl-C ends the measured time early, drains what is in flight, and reports.
Exit status: 0 the money agrees or the data is intact, 1 it is not or the run failed,
2 wrong usage.
`

// alias is the other flag for a field of the profile.
var alias = map[string]string{"connections": "size"}

// parseFlags reads the command line. It answers flag.ErrHelp for -h.
func parseFlags(args []string) (cfg config, err error) {
	cfg.flaw, cfg.stall = -1, dataPatience
	fs := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run says it, once
	fs.Usage = func() {}
	name := fs.String("traffic", profiles.Default, "")
	duration := fs.Duration("duration", 0, "")
	links := fs.Int("links", 0, "")
	connections := fs.Int("connections", 0, "")
	window := fs.Int("window", 0, "")
	fs.IntVar(&cfg.processes, "processes", 1, "")
	fs.StringVar(&cfg.json, "json", "", "")
	fs.DurationVar(&cfg.delay, "delay", 0, "")
	fs.Func("data", "", func(text string) (err error) {
		cfg.data, err = parseOctets(text)
		return err
	})
	fs.StringVar(&cfg.profileFile, "profile", "", "")
	fs.StringVar(&cfg.order, "order", randomOrder, "")
	fs.IntVar(connections, "size", 0, "")
	fs.BoolVar(&cfg.probe, "probe", false, "")
	fs.BoolVar(&cfg.reserve, "reserve", false, "")
	fs.DurationVar(&cfg.sleep, "sleep", 0, "")
	fs.BoolVar(&cfg.pin, "pin", true, "")
	fs.BoolVar(&cfg.null, "null", false, "")
	fs.Float64Var(&cfg.rate, "rate", 0, "")
	fs.StringVar(&cfg.arrivals, "arrivals", constant, "")
	if err := fs.Parse(args); err != nil {
		return cfg, err
	}
	if fs.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected %q", strings.Join(fs.Args(), " "))
	}
	if cfg.profile, err = profiles.Load(*name); err != nil {
		return cfg, err
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		switch f.Name {
		case "duration":
			cfg.profile.Duration = profiles.Duration(*duration)
		case "links":
			cfg.profile.Links = *links
		case "connections", "size":
			cfg.profile.Connections = *connections
		case "window":
			cfg.profile.Window = *window
		}
	})
	if err := cfg.profile.Check(); err != nil {
		if field := (*profiles.FieldError)(nil); errors.As(err, &field) {
			for _, name := range []string{field.Field, alias[field.Field]} {
				if given[name] {
					return cfg, fmt.Errorf("-%s %v: must be %s", name, field.Value, field.Want)
				}
			}
		}
		return cfg, err
	}
	if err := cfg.check(given); err != nil {
		return cfg, err
	}
	return cfg, cfg.canWrite()
}

// check says which flag is wrong beside those of the profile.
func (c config) check(given map[string]bool) error {
	switch {
	case given["size"] && given["connections"]:
		return errors.New("-size and -connections are the same: give one of them")
	case c.processes != 1 && c.processes != 2:
		return fmt.Errorf("-processes %d: must be 1 or 2", c.processes)
	case given["rate"] && !(c.rate > 0 && c.rate <= maxRate):
		return fmt.Errorf("-rate %v: must be above 0 and at most %d", c.rate, int(maxRate))
	case c.arrivals != constant && c.arrivals != poisson:
		return fmt.Errorf("-arrivals %s: must be %s or %s", c.arrivals, constant, poisson)
	case c.delay < 0 || c.delay > maxDelay:
		return fmt.Errorf("-delay %v: must be 0 to %v", c.delay, maxDelay)
	case given["sleep"] && (c.sleep < minSleep || c.sleep > maxSleep):
		return fmt.Errorf("-sleep %v: must be %v to %v", c.sleep, minSleep, maxSleep)
	case given["sleep"] && (c.reserve || c.null):
		return errors.New("-sleep tells what connections take: memory that is ready before they come (-reserve) says nothing of it, and the null engine has none")
	case c.data > 0 && (given["rate"] || given["duration"] || c.null):
		return errors.New("-data ends when all has arrived: -rate, -duration and -null do not go with it")
	case slices.Contains(profiles.Names(), c.profileFile):
		return fmt.Errorf("-profile names the file of a CPU profile: for the shape of traffic it is -traffic %s", c.profileFile)
	case given["profile"] && c.null:
		return errors.New("-profile is of Millrace's own ends: it does not go with -null")
	case c.order != randomOrder && c.order != openedOrder:
		return fmt.Errorf("-order %s: must be %s or %s", c.order, randomOrder, openedOrder)
	case c.order != randomOrder && given["rate"]:
		return errors.New("-order is for a closed loop: -rate draws connections by lot")
	case given["arrivals"] && !given["rate"]:
		return errors.New("-arrivals is for an open loop: give -rate, too")
	}
	return nil
}

// maxData bounds the octets of a connection: 16 TiB.
const maxData = 16 << 40

// parseOctets reads a number of octets: 1048576, 1024K, 1M, 1MB and 1MiB are the same.
func parseOctets(text string) (uint64, error) {
	wrong := fmt.Errorf("must be 1 to %dT octets, as 1048576, 1024K or 1MiB", uint64(maxData)>>40)
	digits := strings.TrimRight(text, "KMGTiB")
	shift := 0
	switch unit := text[len(digits):]; unit {
	case "", "B":
	case "K", "KB", "KiB", "M", "MB", "MiB", "G", "GB", "GiB", "T", "TB", "TiB":
		shift = 10 * (1 + strings.IndexByte("KMGT", unit[0]))
	default:
		return 0, wrong
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 || n > maxData>>shift {
		return 0, wrong
	}
	return n << shift, nil
}

// canWrite finds out before the run whether its figures can be kept.
func (c config) canWrite() error {
	for _, file := range []struct{ flag, name string }{{"json", c.json}, {"profile", c.profileFile}} {
		if file.name == "" || file.flag == "json" && file.name == "-" {
			continue
		}
		f, err := os.OpenFile(file.name, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("-%s: %w", file.flag, err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("-%s: %w", file.flag, err)
		}
	}
	return nil
}

// duration is how long is measured.
func (c config) duration() time.Duration { return time.Duration(c.profile.Duration) }
