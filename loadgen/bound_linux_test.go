package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/transport/affinity"
)

// bound are the processors that some thread of this process is bound to.
func bound(t *testing.T) []string {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	var on []string
	for _, thread := range threads {
		status, _ := os.ReadFile("/proc/self/task/" + thread.Name() + "/status") // it may have ended
		if _, rest, ok := strings.Cut(string(status), "\nCpus_allowed_list:\t"); ok {
			cpu, _, _ := strings.Cut(rest, "\n")
			on = append(on, cpu)
		}
	}
	slices.Sort(on)
	return slices.Compact(on)
}

// TestBothEndsAreBound: each end runs on the processors that are its own.
func TestBothEndsAreBound(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		t.Skip("one processor: all threads are bound to it")
	}
	s := shape{Loops: 1, Links: 3, Connections: 20, Window: 16, PacketAmount: 1000, CPUs: []int{all[1], all[0]}}
	r, err := startReceiver(s, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	onLoop := func(eng *engine.Engine) (cpus []int) {
		t.Helper()
		l, err := eng.DialBTP(t.Context(), "btp+ws://me:token@"+r.ready.Addr, engine.LinkConfig{})
		if err == nil {
			err = l.Do(func(*engine.OnLoop) { cpus, _ = affinity.Allowed() })
		}
		if err != nil {
			t.Fatal(err)
		}
		return cpus
	}
	snd, err := startSender(t.Context(), s, r.ready, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer snd.stop()
	if got := onLoop(r.eng); !slices.Equal(got, all[:1]) {
		t.Errorf("the receiver's loop runs on %v", got)
	}
	if got := onLoop(snd.eng); !slices.Equal(got, all[1:2]) {
		t.Errorf("the sender's loop runs on %v", got)
	}
	if err := snd.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := snd.crowds[0]; len(c.streams) != s.Connections || cap(c.streams) != s.Connections {
		t.Errorf("room for %d streams, of which %d are there", cap(c.streams), len(c.streams))
	}
}

func TestTheNullEngineIsBound(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := parseFlags([]string{"-links", "1"})
	if err != nil {
		t.Fatal(err)
	}
	cpus := cfg.shape().nullCPUs()
	if len(cpus) == 0 || len(all) < 2 {
		t.Skip("too few processors")
	}
	before := bound(t)
	done := make(chan error)
	go func() {
		_, err := measureNull(t.Context(), cfg, 300*time.Millisecond, 0)
		done <- err
	}()
	time.Sleep(100 * time.Millisecond)
	during := bound(t)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(during) < len(before)+2 && len(during) < 3 { // all, and one of each end
		t.Errorf("threads on %v, before the null engine ran on %v", during, before)
	}
	if after, err := affinity.Allowed(); err != nil || !slices.Equal(after, all) {
		t.Errorf("after the null engine its caller may run on %v, %v", after, err)
	}
}
