package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func TestProfileOfBothEndsIsOneFileForPprofAndPGO(t *testing.T) {
	if planted {
		t.Skip("credits are lost on purpose")
	}
	for _, processes := range []string{"1", "2"} {
		file := filepath.Join(t.TempDir(), "cpu.pprof")
		code, r, table := runFor(t, "-profile", file, "-duration", "500ms", "-size", "20", "-links", "2", "-processes", processes)
		if code != exitDone || r.Profile == nil || r.Profile.File != file || r.Profile.Samples == 0 {
			t.Fatalf("status %d, %+v\n%s", code, r.Profile, table)
		}
		var percent, ns float64
		for i, s := range r.Profile.Stages {
			if s.Stage != stages[i] {
				t.Errorf("stage %d is %s", i, s.Stage)
			}
			percent += s.Percent
			ns += s.Nanos
		}
		if math.Abs(percent-100) > 1 || knowsCPU && math.Abs(ns-r.CPU.Total) > 0.02*r.CPU.Total {
			t.Errorf("stages are %.1f %% and %.0f ns of %.0f", percent, ns, r.CPU.Total)
		}
		if !strings.Contains(table, "CPU by stage, both ends") || !strings.Contains(table, "decide, account") {
			t.Errorf("table:\n%s", table)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(f)
		f.Close()
		if err != nil || len(p.SampleType) != 2 || p.SampleType[1].Type != "cpu" {
			t.Fatalf("%v, %+v", err, p)
		}
		if out, err := exec.Command("go", "tool", "preprofile", "-i", file, "-o", os.DevNull).CombinedOutput(); err != nil {
			t.Errorf("go build -pgo would not take it: %v\n%s", err, out)
		}
	}
}

func TestFunctionsAreNamedByWhatTheyAreAndWhomTheyWorkFor(t *testing.T) {
	var texts [][]byte
	for _, c := range []struct {
		ns    int64
		stack []string
	}{
		{40, []string{"internal/runtime/syscall/linux.Syscall6", "syscall.RawSyscall6", "syscall.Syscall", "golang.org/x/sys/unix.write", "golang.org/x/sys/unix.Write", "github.com/panjf2000/gnet/v2.(*conn).write"}},
		{20, []string{module + "pool/slab.(*Slab[go.shape.c5b1]).At", module + "engine/stream.(*Machine).plainBuild"}},
		{25, []string{module + "pool/slab.(*Slab[go.shape.77ab]).At", module + "engine/stream.(*Machine).decide"}},
		{1, []string{module + "pool/slab.(*Slab[go.shape.77ab]).At", module + "transport/ws.Mask"}},
		{12, []string{"runtime.memmove", module + "codec/ilp.AppendPrepare"}},
		{2, []string{"sort.Sort"}},
	} {
		texts = append(texts, sampled(t, c.ns, c.stack...))
	}
	p, err := mergeProfiles(filepath.Join(t.TempDir(), "p"), texts)
	if err != nil {
		t.Fatal(err)
	}
	want := []functionShare{
		{"pool/slab.(*Slab).At", []string{stageDecide, stageTransmit}, 46, 460},
		{"golang.org/x/sys/unix.Write", []string{stageKernel}, 40, 400},
		{"runtime.memmove", []string{stageCodec}, 12, 120},
	}
	if got := functionShares(p, 1000); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// sampled is a profile of one stack, innermost function first.
func sampled(t *testing.T, ns int64, stack ...string) []byte {
	t.Helper()
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7,
	}
	s := &profile.Sample{Value: []int64{1, ns}}
	for i, name := range stack {
		f := &profile.Function{ID: uint64(i) + 1, Name: name}
		l := &profile.Location{ID: uint64(i) + 1, Line: []profile.Line{{Function: f, Line: 1}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		s.Location = append(s.Location, l)
	}
	p.Sample = []*profile.Sample{s}
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func TestProfilesOfTwoProcessesAddUp(t *testing.T) {
	m := measured{profiles: [][]byte{
		sampled(t, 3e6, "internal/runtime/syscall.Syscall6", module+"transport.(*Loop).finish"), sampled(t, 1e6, module+"engine.(*shard).Wake"),
	}}
	m.sender.SentPackets, m.sender.User, m.receiver.System = 10, 300, 100
	cfg := config{processes: 2, profileFile: filepath.Join(t.TempDir(), "p")}
	f, err := m.stageFigures(cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]stageShare)
	for _, s := range f.Stages {
		got[s.Stage] = s
	}
	if want := []functionShare{
		{"internal/runtime/syscall.Syscall6", []string{stageKernel}, 75, 30}, {"engine.(*shard).Wake", []string{stageGlue}, 25, 10},
	}; !reflect.DeepEqual(f.Functions, want) {
		t.Errorf("%+v, want %+v", f.Functions, want)
	}
	if k, g := got[stageKernel], got[stageGlue]; f.Samples != 2 || k.Percent != 75 || k.Nanos != 30 || g.Percent != 25 || g.Nanos != 10 {
		t.Errorf("%+v", f)
	}
}

func TestStacksAreAttributedToStages(t *testing.T) {
	machine := func(name string) string { return module + "engine/stream.(*Machine)." + name }
	for _, c := range []struct {
		stage string
		stack []string
	}{
		{stageKernel, []string{"internal/runtime/syscall.Syscall6", "syscall.Syscall", "github.com/panjf2000/gnet/v2.(*conn).write"}},
		{stageKernel, []string{"runtime.futex", "runtime.futexsleep", "runtime.mPark"}},
		{stageRuntime, []string{"runtime.scanobject", "runtime.gcDrain"}},
		{stageRuntime, []string{"runtime.exitsyscall", "syscall.Syscall6", "github.com/panjf2000/gnet/v2/pkg/netpoll.(*Poller).Polling"}},
		{stageGnet, []string{"github.com/panjf2000/gnet/v2.(*eventloop).read"}},
		{stageWebSocket, []string{"runtime.memmove", module + "transport/ws.Mask", module + "transport.(*Link).Reply"}},
		{stageBTP, []string{module + "codec/btp.Parse", module + "transport/session.(*Session).Packets"}},
		{stageCodec, []string{module + "codec/oer.VarUint", module + "codec/frame.(*Packet).Parse", machine("receive"), machine("decidePrepare")}},
		{stageOpen, []string{module + "aesni.gcmBlocks", module + "aesni.openAVX512.abi0", module + "aesni.(*Keys).OpenVector", machine("vector")}},
		{stageProve, []string{module + "aesni.prove16AVX512.abi0", module + "aesni.(*Keys).ProveVector"}},
		{stageSeal, []string{module + "aesni.(*IVSource).Next", machine("build"), machine("transmitVector")}},
		{stageLookUp, []string{module + "aesni.Equal", machine("lookUpAnswer"), machine("vector")}},
		{stageLookUp, []string{module + "pool/slab.(*Table).Get", machine("lookUp"), machine("vector"), machine("Handle")}},
		{stageLookUp, []string{module + "aesni.(*Keys).DeriveEncryption", machine("Connect")}},
		{stageTransmit, []string{machine("canSend"), machine("transmitVector"), machine("Transmit")}},
		{stageDecide, []string{machine("wakeConn"), machine("fulfilled"), machine("decideAnswer"), machine("vector"), machine("Handle")}},
		{stageDecide, []string{module + "pool/slab.(*Wheel).Set", machine("armConn"), machine("PollEvent")}},
		{stageGlue, []string{"runtime.memclrNoHeapPointers", module + "engine.(*shard).drain"}},
		{stageLoadgen, []string{"main.(*crowd).HandleEvents", module + "engine.(*shard).tell"}},
		{stageOther, []string{"sort.Sort"}},
		{stageOther, nil},
	} {
		if got := stageOf(c.stack); got != c.stage {
			t.Errorf("%v is of stage %q, want %q", c.stack, got, c.stage)
		}
	}
}
