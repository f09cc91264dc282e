package main

import (
	"strings"

	"github.com/google/pprof/profile"
)

// The stages that CPU time goes to: those of a packet's walk, and what is around them.
const (
	stageKernel    = "kernel"
	stageRuntime   = "Go runtime: scheduler, collector"
	stageGnet      = "gnet"
	stageWebSocket = "WebSocket: framing, masking"
	stageBTP       = "BTP session"
	stageCodec     = "ILP and STREAM codec"
	stageLookUp    = "look up, derive keys"
	stageOpen      = "open"
	stageProve     = "prove"
	stageSeal      = "seal"
	stageDecide    = "decide, account"
	stageTransmit  = "transmit"
	stageGlue      = "engine and transport glue"
	stageLoadgen   = "loadgen itself"
	stageOther     = "other"
)

// stages is the order of the table.
var stages = []string{
	stageKernel, stageRuntime, stageGnet, stageWebSocket, stageBTP, stageCodec, stageLookUp, stageOpen, stageProve,
	stageSeal, stageDecide, stageTransmit, stageGlue, stageLoadgen, stageOther,
}

const module = "github.com/millrace-ilp/millrace/"

// packageStage is the stage of packages, the first prefix that fits; "" means that
// a function works for whoever called it.
var packageStage = []struct{ prefix, stage string }{
	{module + "transport/ws.", stageWebSocket},
	{"github.com/gobwas/", stageWebSocket},
	{module + "transport/session.", stageBTP},
	{module + "codec/btp.", stageBTP},
	{module + "codec/", stageCodec},
	{module + "aesni.", ""}, // by aesniStage
	{module + "pool.", ""},
	{module + "pool/", ""},
	{module + "engine/stream.", stageDecide}, // unless machineStage knows better
	{module + "engine.", stageGlue},
	{module + "transport.", stageGlue},
	{"github.com/panjf2000/", stageGnet},
	{"golang.org/x/sync/", stageGnet},
	{"main.", stageLoadgen},
	{module + "loadgen.", stageLoadgen},
	{module + "internal/nullengine.", stageLoadgen},
	{"github.com/HdrHistogram/", stageLoadgen},
	{"runtime/pprof.", stageLoadgen},
	{"runtime/metrics.", stageLoadgen},
	{"encoding/json.", stageLoadgen},
	{"compress/", stageLoadgen},
	{"os.", stageLoadgen},
}

// aesniStage is the stage of functions of aesni by a part of their name, the first
// that fits.
var aesniStage = []struct{ part, stage string }{
	{"derive", stageLookUp}, {"hmac", stageLookUp}, {"box", stageLookUp}, {"open", stageOpen}, {"prove", stageProve},
	{"seal", stageSeal}, {"ivsource", stageSeal},
}

// machineStage is the stage of methods of the machine by the beginning of their name,
// the first that fits. All others are of the stage of their caller, in the end decide.
var machineStage = []struct{ prefix, stage string }{
	{"view", stageLookUp}, {"lookUp", stageLookUp}, {"openInto", stageLookUp}, {"touch", stageLookUp}, {"tokenHash", stageLookUp}, {"segmentBelow", stageLookUp},
	{"proveNewcomer", stageLookUp}, {"sealRepl", stageSeal}, {"decide", stageDecide}, {"HandleTimeout", stageDecide},
	{"Transmit", stageTransmit}, {"transmit", stageTransmit}, {"build", stageTransmit}, {"compose", stageTransmit},
	{"plainBuild", stageTransmit}, {"plain", stageDecide},
	{"PollReady", stageTransmit}, {"SetSendMax", stageTransmit}, {"Write", stageTransmit}, {"Handle", stageDecide},
}

// kernelEntry is where Go enters the kernel. Only as the innermost function of a
// sample: then the sample is of the kernel.
var kernelEntry = []string{
	"internal/runtime/syscall", "runtime/internal/syscall", "syscall.", "internal/syscall/", "golang.org/x/sys/unix.", "runtime.futex",
	"runtime.epoll", "runtime.usleep", "runtime.madvise", "runtime.mmap", "runtime.munmap", "runtime.tgkill", "runtime.osyield",
	"runtime.write1", "runtime.read.", "runtime.rt_sig", "runtime.sigreturn", "runtime.timer_", "runtime.nanosleep",
}

// service is what of the runtime works for whoever called it.
var service = []string{
	"runtime.mem", "runtime.duff", "runtime.mapaccess", "runtime.mapassign", "runtime.nanotime", "runtime.walltime", "runtime.vdso",
	"runtime.time_now", "runtime.asyncPreempt", "runtime.cmpstring", "runtime.strequal", "runtime.panic", "runtime.assert",
}

// stageOf attributes a stack, the innermost function first.
func stageOf(stack []string) string {
	for i, f := range stack {
		switch {
		case hasPrefix(f, kernelEntry):
			if i == 0 || stageOf(stack[:i]) == stageOther {
				return stageKernel
			}
		case strings.HasPrefix(f, "runtime."):
			if !hasPrefix(f, service) {
				return stageRuntime
			}
		case strings.HasPrefix(f, module+"aesni."):
			name := strings.ToLower(f[len(module):])
			for _, s := range aesniStage {
				if strings.Contains(name, s.part) {
					return s.stage
				}
			}
		case strings.HasPrefix(f, module+"engine/stream."):
			return stageOfMachine(stack[i:])
		default:
			for _, p := range packageStage {
				if strings.HasPrefix(f, p.prefix) && p.stage != "" {
					return p.stage
				}
			}
		}
	}
	return stageOther
}

// stageOfMachine goes out from a function of the machine to the first that says which
// stage it is.
func stageOfMachine(stack []string) string {
	for _, f := range stack {
		name, inside := strings.CutPrefix(f, module+"engine/stream.")
		if !inside {
			break
		}
		name = name[strings.LastIndexByte(name, '.')+1:]
		for _, s := range machineStage {
			if strings.HasPrefix(name, s.prefix) {
				return s.stage
			}
		}
	}
	return stageDecide
}

func hasPrefix(f string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(f, p) {
			return true
		}
	}
	return false
}

// cpuByStage adds up the CPU time of a profile by stage, in nanoseconds.
func cpuByStage(p *profile.Profile) (sums map[string]int64, total int64) {
	sums = make(map[string]int64)
	eachStack(p, func(stack []string, cpu int64) {
		sums[stageOf(stack)] += cpu
		total += cpu
	})
	return sums, total
}

// eachStack calls f for each sample of a profile, with its functions, the innermost
// first, and its CPU time in nanoseconds. The stack is good until f returns.
func eachStack(p *profile.Profile, f func(stack []string, cpu int64)) {
	at := len(p.SampleType) - 1 // "cpu"; before it are "samples"
	var stack []string
	for _, s := range p.Sample {
		stack = stack[:0]
		for _, l := range s.Location {
			for _, line := range l.Line { // inlined functions come first
				if line.Function != nil {
					stack = append(stack, line.Function.Name)
				}
			}
		}
		f(stack, s.Value[at])
	}
}
