package nullengine

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/millrace-ilp/millrace/transport/affinity"
)

func TestRunCountsBothEnds(t *testing.T) {
	cpus, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{Links: 1, Window: 1, Duration: 30 * time.Millisecond},
		{Links: 3, Window: 64, Duration: 30 * time.Millisecond},
		{Links: 2, Window: 8192, Duration: 30 * time.Millisecond}, // more than the socket buffers take at once
		{Links: 1, Window: 1, Duration: 30 * time.Millisecond, CPUs: []int{cpus[0], cpus[len(cpus)-1]}},
	} {
		r, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%+v: %v", cfg, err)
		}
		if r.Messages < uint64(cfg.Links*cfg.Window) || r.Elapsed < cfg.Duration {
			t.Errorf("%+v: %d messages in %s", cfg, r.Messages, r.Elapsed)
		}
		if r.ServerWrites == 0 || r.ServerWrites > r.Messages || r.ClientWrites == 0 {
			t.Errorf("%+v: %d messages, %d and %d writes", cfg, r.Messages, r.ServerWrites, r.ClientWrites)
		}
		if r.ServerCPU <= 0 || r.ClientCPU <= 0 || r.ProcessCPU <= 0 {
			t.Errorf("%+v: CPU of server %s, client %s, process %s", cfg, r.ServerCPU, r.ClientCPU, r.ProcessCPU)
		}
		if r.MessagesPerSecond() <= 0 || r.CPUPerMessage() <= 0 || r.FramesPerWrite() < 1 {
			t.Errorf("%+v: %+v", cfg, r)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := Run(ctx, Config{Links: 1, Window: 4, Duration: time.Hour})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if r.Elapsed > time.Minute {
		t.Errorf("went on for %s", r.Elapsed)
	}
}

func TestClientRefusesAnAnswerThatIsNotDue(t *testing.T) {
	answers := make([]byte, 3*AnswerLen)
	const number = 7 << 32
	for i := range 3 {
		binary.BigEndian.PutUint64(answers[i*AnswerLen:], number|uint64(i))
	}
	for split := range len(answers) {
		l := link{number: number}
		a, err := l.take(answers[:split])
		b, err2 := l.take(answers[split:])
		if a+b != 3 || err != nil || err2 != nil {
			t.Fatalf("split at %d: %d + %d answers, %v, %v", split, a, b, err, err2)
		}
	}
	binary.BigEndian.PutUint64(answers[AnswerLen:], number|5)
	for _, split := range []int{0, AnswerLen + 3} { // whole, and put together from two reads
		l := link{number: number}
		_, err := l.take(answers[:split])
		if err == nil {
			_, err = l.take(answers[split:])
		}
		if !errors.Is(err, ErrAnswer) {
			t.Errorf("split at %d: %v", split, err)
		}
	}
}

func TestClientGivesUpOnAServerThatNeverAnswers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := &client{in: make([]byte, readBuffer), links: make([]link, 1), patience: time.Millisecond}
	defer c.close()
	if err := c.dial(t.Context(), ln.Addr().String(), 4); err != nil {
		t.Fatal(err)
	}
	if _, err := c.run(t.Context(), Config{Window: 4, Duration: time.Hour}); !errors.Is(err, ErrStalled) {
		t.Errorf("got %v", err)
	}
}

func TestClientReportsAServerThatGoesAway(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	if _, err := RunClient(ln.Addr().String(), Config{Links: 1, Window: 4, Duration: time.Hour}); err == nil {
		t.Error("no error for a closed link")
	}
}

// TestTheEndsAreBoundAndTheCallerIsNot: each end has its processor, and whoever calls Run on
// a thread of its own has that back as it was.
func TestTheEndsAreBoundAndTheCallerIsNot(t *testing.T) {
	all, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	masks := func() (some int) {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			var set unix.CPUSet
			if unix.SchedGetaffinity(id, &set) == nil && set.Count() < len(all) {
				some++
			}
		}
		return some
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpus := []int{all[0], all[len(all)-1]}
	before := masks()
	most := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(5 * time.Millisecond):
				n = max(n, masks())
			}
		}
	}()
	if _, err := Run(t.Context(), Config{Links: 1, Window: 1, Duration: 100 * time.Millisecond, CPUs: cpus}); err != nil {
		t.Fatal(err)
	}
	close(stop)
	if n := <-most; len(all) > 1 && n < before+2 {
		t.Errorf("%d threads are bound, %d were before", n, before)
	}
	if after, err := affinity.Allowed(); err != nil || !slices.Equal(after, all) {
		t.Errorf("the caller may run on %v of %v afterwards, %v", after, all, err)
	}
	for _, cpus := range [][]int{{all[0], 1 << 20}, {1 << 20, all[0]}} {
		if _, err := Run(t.Context(), Config{Links: 1, Duration: time.Millisecond, CPUs: cpus}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("on processors %v: %v", cpus, err)
		}
	}
}
