package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

// TestMain lets the test binary be the receiver's process, as loadgen's own
// binary is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == receiverArg {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// shared is a standard error that both processes write to, as to a file.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// runFor runs loadgen and reads its JSON object.
func runFor(t *testing.T, args ...string) (code int, r result, table string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "result.json")
	var stdout bytes.Buffer
	var stderr shared
	code = run(append(args, "-json", file), strings.NewReader(""), &stdout, &stderr)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("exit status %d, %v\n%s%s", code, err, &stdout, stderr.text.String())
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return code, r, stdout.String()
}

func TestMoneyAgreesAtBothEnds(t *testing.T) {
	for _, processes := range []string{"1", "2"} {
		t.Run(processes+" processes", func(t *testing.T) {
			code, r, table := runFor(t, "-duration", "200ms", "-connections", "20", "-links", "2", "-window", "16", "-processes", processes)
			if planted { // with the build tag plant_lost_credit this must be noticed
				if code != exitFailed || r.MoneyAgrees || !strings.Contains(table, "money does NOT agree: sent "+r.Sent+", received "+r.Received) {
					t.Errorf("a lost credit went unnoticed: status %d\n%s", code, table)
				}
				return
			}
			if code != exitDone || !r.MoneyAgrees || r.Sent != r.Received || !strings.Contains(table, "\nmoney agrees\n") {
				t.Errorf("status %d\n%s", code, table)
			}
			if r.Failure != "" || r.RoundTrips == 0 || r.RoundTripsPerSecond <= 0 || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P999 {
				t.Errorf("figures: %+v", r)
			}
			if knowsCPU && r.CPU.Total <= 0 {
				t.Errorf("no CPU time: %+v", r.CPU)
			}
			if apart := r.CPU.Sender != nil && r.CPU.Receiver != nil; apart != (processes == "2") {
				t.Errorf("sender and receiver told apart: %t", apart)
			}
			if r.FramesPerWrite < 1 || r.PacketsPerVector < 1 {
				t.Errorf("frames per write %v, packets per vector %v", r.FramesPerWrite, r.PacketsPerVector)
			}
			if r.Config.Connections != 20 || r.Config.Links != 2 || r.Config.Window != 16 {
				t.Errorf("config: %+v", r.Config)
			}
		})
	}
}

func TestTheJSONObjectHasEveryField(t *testing.T) {
	text, err := json.Marshal(measured{}.figures(config{processes: 1}))
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("round_trips round_trips_per_second cpu_ns_per_round_trip latency_ns rejects sent received " +
		"money_agrees loop open_loop opening asleep data profile null_open_loop allocs_per_round_trip frames_per_write packets_per_vector null config machine version") {
		if _, ok := o[name]; !ok {
			t.Errorf("no field %s in %s", name, text)
		}
	}
	if string(o["rejects"]) != "{}" || string(o["sent"]) != `"0"` {
		t.Errorf("rejects %s, sent %s", o["rejects"], o["sent"])
	}
}

func TestHelpTeaches(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-h"}, nil, &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", code, &stderr)
	}
	for _, name := range []string{"-duration", "-links", "-connections", "-window", "-processes", "-traffic", "-json", "-null", "-rate", "-arrivals", "-size", "-probe", "-delay", "-data", "-profile", "-order", "-pin=false"} {
		if !strings.Contains(stdout.String(), "  "+name+" ") {
			t.Errorf("-h does not explain %s", name)
		}
	}
}

func TestWrongUsageIsStatus2(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"-duration=-1s", "duration"}, {"-links 0", "links"}, {"-connections 3", "connections"}, {"-window 0", "window"},
		{"-processes 3", "processes"}, {"-traffic nonesuch", "nonesuch"}, {"-rate 0", "rate"}, {"-rate=-5", "rate"}, {"-rate 2e9", "rate"}, {"-rate NaN", "rate"},
		{"-rate 5 -arrivals daily", "arrivals"}, {"-arrivals poisson", "-rate"},
		{"-data 0", "data"}, {"-data 1MM", "data"}, {"-data 17T", "data"}, {"-data 1M -rate 5", "-rate"}, {"-data 1M -duration 1s", "-duration"},
		{"-profile default", "-traffic"}, {"-profile /no/such/directory/x", "-profile"}, {"-order last", "order"}, {"-order opened -rate 5", "-order"}, {"-delay=-1s", "delay"}, {"-delay 11s", "delay"}, {"-size 1000001", "-size"}, {"-size 20 -connections 20", "same"}, {"-nonesuch", "nonesuch"}, {"extra", "extra"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(c.args), nil, &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
			t.Errorf("%s: status %d, %q", c.args, code, &stderr)
		}
	}
}

func TestFlagsOverrideTheProfile(t *testing.T) {
	cfg, err := parseFlags([]string{"-connections", "50", "-processes", "2"})
	if err != nil {
		t.Fatal(err)
	}
	s := cfg.shape()
	if s.Profile != "default" || s.Connections != 50 || s.Links != 8 || s.Window != 256 || s.Processes != 2 || s.Loops < 1 {
		t.Errorf("got %+v", s)
	}
}

func TestEachLoopHasAProcessorUnlessThereAreTooFew(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		all = nil // as without -pin
	}
	cfg := config{pin: true, processes: 2}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(1, len(all))))
	if got, want := cfg.cpus(len(all)), all; !slices.Equal(got, want) {
		t.Errorf("%d loops on processors %v, of %v", len(all), got, want)
	}
	if got := cfg.cpus(len(all) + 1); got != nil {
		t.Errorf("%d loops on processors %v", len(all)+1, got)
	}
	runtime.GOMAXPROCS(1)
	if got := cfg.cpus(2); got != nil {
		t.Errorf("two loops on processors %v with GOMAXPROCS 1", got)
	}
	s := shape{CPUs: []int{4, 5, 6, 7}}
	if !slices.Equal(s.senderCPUs(), []int{4, 5}) || !slices.Equal(s.receiverCPUs(), []int{6, 7}) || !slices.Equal(s.nullCPUs(), []int{4, 6}) {
		t.Errorf("of %v the sender has %v, the receiver %v, the null engine %v", s.CPUs, s.senderCPUs(), s.receiverCPUs(), s.nullCPUs())
	}
	without, err := parseFlags([]string{"-pin=false"})
	if err != nil {
		t.Fatal(err)
	}
	if s := without.shape(); s.CPUs != nil || len(s.senderCPUs())+len(s.receiverCPUs())+len(s.nullCPUs()) != 0 {
		t.Errorf("-pin=false: %+v", s)
	}
}
