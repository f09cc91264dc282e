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

func TestProcessorsThatThereAreNot(t *testing.T) {
	all, err := Allowed()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpu := range []int{-1, 1 << 30, 1023} {
		if slices.Contains(all, cpu) {
			continue
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := Bind(cpu); err == nil {
				t.Errorf("bound to processor %d of %v", cpu, all)
			}
			if got, err := Allowed(); err != nil || !slices.Equal(got, all) {
				t.Errorf("refused processor %d, a goroutine may run on %v, %v", cpu, got, err)
			}
		}()
		<-done
	}
}
