//go:build linux && (amd64 || arm64)

package engine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestMemoryIsZeroedAlignedAndApart(t *testing.T) {
	take, _ := newMemory(0)
	type piece struct{ b []byte }
	var all []piece
	for i, n := range []int{1, 64, 100, 1 << 20, 7, memoryStep, memoryStep + 1, 3 * memoryStep, 500_000} {
		b := take(n)
		if len(b) < n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%memoryLine != 0 {
			t.Fatalf("%d octets: %d at %p", n, len(b), b)
		}
		for _, at := range []int{0, len(b) / 2, len(b) - 1} {
			if b[at] != 0 {
				t.Fatal("not zeroed, or given twice")
			}
			b[at] = byte(i + 1)
		}
		all = append(all, piece{b})
	}
	for i, p := range all {
		if p.b[0] != byte(i+1) || p.b[len(p.b)-1] != byte(i+1) {
			t.Fatal("given twice")
		}
	}
}

// TestNextPageIsMadeReady: who takes memory does not wait for the system to clear it.
func TestNextPageIsMadeReady(t *testing.T) {
	m := new(memory)
	for m.free == nil || len(m.free)%hugePage != hugePage/2 || len(m.free) > memoryStep-hugePage {
		m.take(hugePage / 4)[0] = 1
	}
	next := m.free[hugePage/2:][:hugePage]
	if unix.Madvise(next, unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	m.take(hugePage)
	next = m.free[hugePage/2:][:hugePage]
	for deadline := time.Now().Add(10 * time.Second); !isResident(t, next); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it is not there")
		}
	}
	if far := m.free[hugePage/2+hugePage:][:hugePage]; isResident(t, far) {
		t.Error("the one after is there, too")
	}
	runtime.KeepAlive(m)
}

// TestReservedMemoryIsReady: before anything is taken of it, and what is taken then is of it.
func TestReservedMemoryIsReady(t *testing.T) {
	const octets = 3*hugePage + 1
	m := new(memory)
	if !m.reserve(octets) || len(m.free) < octets {
		t.Fatalf("%d octets", len(m.free))
	}
	if unix.Madvise(m.free[:hugePage], unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	if !isResident(t, m.free[:octets&^(hugePage-1)+hugePage]) {
		t.Error("they are not there")
	}
	if far := m.free[octets&^(hugePage-1)+hugePage:]; len(far) > 0 && isResident(t, far[:hugePage]) {
		t.Error("more is there, too")
	}
	if m.reserve(1 << 60) {
		t.Error("there is more memory than anybody has")
	}
	first := unsafe.SliceData(m.free)
	if unsafe.SliceData(m.take(100)) != first {
		t.Error("it is taken from elsewhere")
	}
	for range 10 {
		m.take(hugePage)[0] = 1 // beyond it goes on as ever
	}
	runtime.KeepAlive(m)
}

// TestEngineHasReadyWhatItReserves: each loop its part. A process of its own has no other
// memory that comes and goes.
func TestEngineHasReadyWhatItReserves(t *testing.T) {
	const alone = "MILLRACE_TEST_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("%s", out)
		}
		return
	}
	probe := new(memory)
	if !probe.reserve(1) || unix.Madvise(probe.free[:hugePage], unix.MADV_POPULATE_WRITE) != nil {
		t.Skip("this system cannot")
	}
	const connections = 60_000
	for _, reserve := range []int{0, connections} {
		before := residentNow(t)
		e, err := New(Config{Loops: 3, Reserve: reserve, StdNet: true})
		if err != nil {
			t.Fatal(err)
		}
		grown := residentNow(t) - before
		if least := reserve * 1000; grown < least-1<<20 || grown > 2*least+64<<20 {
			t.Errorf("%d octets more with %d connections to come", grown, reserve)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// residentNow is the resident memory of the process.
func residentNow(t *testing.T) int {
	t.Helper()
	var all, resident int
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &all, &resident)
	}
	if err != nil {
		t.Skip("this system does not tell: ", err)
	}
	return resident * os.Getpagesize()
}

func isResident(t *testing.T, b []byte) bool {
	pages := make([]byte, len(b)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(unsafe.SliceData(pages)))); errno != 0 {
		t.Skip("this system does not tell: ", errno)
	}
	for _, p := range pages {
		if p&1 == 0 {
			return false
		}
	}
	return true
}
