package main

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/profiles"
)

func TestOpeningsAreMeasuredWithAndWithoutRateDiscovery(t *testing.T) {
	if planted {
		t.Skip("credits are lost on purpose")
	}
	for _, args := range [][]string{nil, {"-probe"}, {"-reserve"}} {
		args = append(args, "-size", "3000", "-links", "2", "-duration", "50ms", "-processes", "2")
		code, r, table := runFor(t, args...)
		o := r.Opening
		if code != exitDone || !r.MoneyAgrees || o == nil {
			t.Fatalf("status %d\n%s", code, table)
		}
		if o.Connections != 3000 || r.Config.Connections != 3000 || o.Probed != (args[0] == "-probe") || r.Config.Probe != o.Probed {
			t.Errorf("%+v", o)
		}
		if o.CPU.Sender == nil || o.CPU.Receiver == nil || knowsCPU && o.CPU.Total <= 0 || o.Seconds <= 0 || o.Own != 8 {
			t.Errorf("%+v", o)
		}
		for _, pause := range []time.Duration{o.Pause.Sender, o.Pause.Receiver} {
			if seconds := pause.Seconds(); seconds <= 0 || seconds > o.Seconds+setUp.Seconds() {
				t.Errorf("a loop's longest pause was %v while connections opened for %v s", pause, o.Seconds)
			}
		}
		if r.Config.Reserve != (args[0] == "-reserve") {
			t.Errorf("%+v", r.Config)
		}
		if r.Config.Reserve {
			if o.Memory.Total != 0 || strings.Contains(table, "memory per connection") {
				t.Errorf("%v octets a connection were told", o.Memory.Total)
			}
			continue
		}
		if runtime.GOOS == "linux" && (o.Memory.Total < 100 || o.Memory.Total > 100_000 || o.Issuing <= 0) {
			t.Errorf("%v octets resident a connection, %v ns of CPU for its credentials", o.Memory.Total, o.Issuing)
		}
	}
}

func TestConnectionsThatSleepAreMeasured(t *testing.T) {
	if planted {
		t.Skip("credits are lost on purpose")
	}
	code, r, table := runFor(t, "-size", "20000", "-links", "2", "-duration", "200ms", "-processes", "2", "-sleep", "1s")
	a := r.Asleep
	if code != exitDone || !r.MoneyAgrees || a == nil || r.Opening.Memory.Total != 0 || r.Config.Sleep != profiles.Duration(time.Second) {
		t.Fatalf("status %d\n%s", code, table)
	}
	if a.Seconds <= 0 || a.Seconds > 60 || runtime.GOOS == "linux" && (a.Memory.Total < 100 || a.Memory.Total > 10_000 || !strings.Contains(table, "memory asleep")) {
		t.Errorf("%+v\n%s", a, table)
	}
	for _, args := range [][]string{{"-sleep", "10ms"}, {"-sleep", "2h"}, {"-sleep", "1s", "-reserve"}, {"-sleep", "1s", "-null"}} {
		if _, err := parseFlags(args); err == nil || !strings.Contains(err.Error(), "-sleep") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestEachEndOfOneProcessIsNotToldApart(t *testing.T) {
	if e := eachEnd(30, 10, 10, false); e.Sender != nil || e.Receiver != nil || e.Total != 3 {
		t.Errorf("one process: %+v", e)
	}
	if e := eachEnd(30, 10, 10, true); *e.Sender != 3 || *e.Receiver != 1 || e.Total != 4 {
		t.Errorf("two processes: %+v", e)
	}
}

func TestCredentialsAreMadeInBatchesAndAllDiffer(t *testing.T) {
	var cpu time.Duration
	is, err := newIssuer(ready{Address: "test.x", Secret: make([]byte, 32)}, &cpu)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2*issueAtOnce + 7
	seen := make(map[string]bool)
	for i := range n {
		address, secret := is.each(i, n)
		if seen[address] || secret == [32]byte{} {
			t.Fatalf("credentials %d: %s twice, or no secret", i, address)
		}
		seen[address] = true
	}
	if len(is.batch) != 7 || cap(is.batch) != issueAtOnce {
		t.Errorf("%d credentials kept in the end, room for %d", len(is.batch), cap(is.batch))
	}
}
