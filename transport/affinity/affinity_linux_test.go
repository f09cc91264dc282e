package affinity

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestABoundGoroutineStaysOnItsProcessor(t *testing.T) {
	all, err := Allowed()
	if err != nil || len(all) == 0 {
		t.Fatalf("the processors of this process are %v, %v", all, err)
	}
	for _, cpu := range all {
		thread := make(chan int)
		end := make(chan struct{})
		go func() {
			if err := Bind(cpu); err != nil {
				t.Error(err)
			}
			thread <- unix.Gettid()
			<-end // parked, and woken again
			if got, err := Allowed(); err != nil || !slices.Equal(got, []int{cpu}) {
				t.Errorf("bound to processor %d, a goroutine may run on %v, %v", cpu, got, err)
			}
			thread <- unix.Gettid()
		}()
		before := <-thread
		end <- struct{}{}
		if after := <-thread; after != before {
			t.Errorf("a bound goroutine went from thread %d to %d", before, after)
		}
		if before == os.Getpid() {
			continue // the runtime keeps the first thread, and never uses it again
		}
		gone := func() bool {
			_, err := os.Stat(filepath.Join("/proc/self/task", strconv.Itoa(before)))
			return err != nil
		}
		for limit := time.Now().Add(10 * time.Second); !gone(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("the thread of a bound goroutine has outlived it")
			}
		}
	}
	if got, err := Allowed(); err != nil || !slices.Equal(got, all) {
		t.Errorf("before %v was allowed, afterwards %v, %v", all, got, err)
	}
}

// TestProcessorsThatAreNotAllowed: neither those that there are not, nor those that a mask
// leaves out, such as taskset's, or the one of a goroutine that is bound already.
func TestProcessorsThatAreNotAllowed(t *testing.T) {
	all, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range []int{-1, 1 << 30, all[len(all)-1] + 1} {
		thread := make(chan int)
		go func() {
			if err := Bind(cpu); err == nil {
				t.Errorf("bound to processor %d of %v", cpu, all)
			}
			if got, err := Allowed(); err != nil || !slices.Equal(got, all) {
				t.Errorf("refused processor %d, a goroutine may run on %v, %v", cpu, got, err)
			}
			thread <- unix.Gettid()
		}()
		refused := <-thread
		time.Sleep(10 * time.Millisecond)
		if _, err := os.Stat(filepath.Join("/proc/self/task", strconv.Itoa(refused))); err != nil {
			t.Errorf("the thread of a goroutine that was not bound has ended with it: %v", err)
		}
	}
	if len(all) == 1 {
		return
	}
	twice := make(chan error)
	go func() {
		if err := Bind(all[0]); err != nil {
			t.Error(err)
		}
		twice <- Bind(all[1])
	}()
	if err := <-twice; err == nil {
		t.Errorf("bound to processor %d where a mask allowed %d alone", all[1], all[0])
	}
}
