package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/google/pprof/profile"
)

// profileFigures is where the CPU time of both ends went.
type profileFigures struct {
	File      string          `json:"file"`
	Samples   int64           `json:"samples"`
	Stages    []stageShare    `json:"stages"`
	Functions []functionShare `json:"functions"` // of 3 % and more
}

// stageShare is one stage's part of all samples, and of the CPU time that the system
// counted, by round trip; by packet that was sent when octets are carried.
type stageShare struct {
	Stage   string  `json:"stage"`
	Percent float64 `json:"percent"`
	Nanos   float64 `json:"cpu_ns_per_round_trip"`
}

// profiler takes a CPU profile of this process.
type profiler struct{ out *bytes.Buffer }

func (p *profiler) start() error {
	p.out = new(bytes.Buffer)
	return pprof.StartCPUProfile(p.out)
}

func (p *profiler) stop() []byte {
	if p.out == nil {
		return nil
	}
	pprof.StopCPUProfile()
	text := p.out.Bytes()
	p.out = nil
	return text
}

// profiled takes CPU profiles of both ends while f runs, if the flags want it.
func (m *measured) profiled(cfg config, rcv receivingEnd, f func() error) error {
	if cfg.profileFile == "" {
		return f()
	}
	var own profiler
	if err := rcv.startProfile(); err != nil {
		return err
	}
	if err := own.start(); err != nil {
		return err
	}
	failed := f()
	m.profiles = append(m.profiles, own.stop())
	theirs, err := rcv.stopProfile()
	if theirs != nil {
		m.profiles = append(m.profiles, theirs)
	}
	return errors.Join(failed, err)
}

// mergeProfiles makes one profile of those of both ends, in the form that go build
// -pgo takes, and writes it to a file.
func mergeProfiles(name string, texts [][]byte) (*profile.Profile, error) {
	var all []*profile.Profile
	for _, text := range texts {
		p, err := profile.ParseData(text)
		if err != nil {
			return nil, fmt.Errorf("-profile: %w", err)
		}
		all = append(all, p)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return nil, fmt.Errorf("-profile: %w", err)
	}
	for _, m := range merged.Mapping { // where the program lay says nothing
		m.File = filepath.Base(m.File)
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("-profile: %w", err)
	}
	return merged, errors.Join(merged.Write(f), f.Close())
}

// stageFigures writes the profile of a run, and computes what its stages cost.
func (m measured) stageFigures(cfg config) (*profileFigures, error) {
	if len(m.profiles) == 0 {
		return nil, nil
	}
	p, err := mergeProfiles(cfg.profileFile, m.profiles)
	if err != nil {
		return nil, err
	}
	cpu := m.sender.User + m.sender.System
	if cfg.processes > 1 {
		cpu += m.receiver.User + m.receiver.System
	}
	each := m.sender.SentPackets
	if cfg.data > 0 {
		each = m.sender.Prepares
	}
	nanos := 0.0
	if each > 0 {
		nanos = float64(cpu) / float64(each)
	}
	sums, total := cpuByStage(p)
	figures := &profileFigures{File: cfg.profileFile}
	for _, s := range p.Sample {
		figures.Samples += s.Value[0]
	}
	for _, name := range stages {
		share := float64(sums[name]) / float64(max(total, 1))
		figures.Stages = append(figures.Stages, stageShare{Stage: name, Percent: rounded(100*share, 2), Nanos: rounded(share*nanos, 1)})
	}
	figures.Functions = functionShares(p, nanos)
	return figures, nil
}

func (f *profileFigures) rows(p *printer, unit string) {
	if f == nil {
		return
	}
	p.line("")
	p.line("  CPU by stage, both ends (%s samples, %s)", grouped(uint64(f.Samples)), f.File)
	for _, s := range f.Stages {
		if s.Percent > 0 || s.Stage != stageOther {
			p.line("    %-33s %5s %%  %10s %s", s.Stage, number(s.Percent, 1), nanos(s.Nanos), unit)
		}
	}
	p.line("  of it functions of %v %% and more", tellingPercent)
	for _, s := range f.Functions {
		p.line("    %-45s %5s %%  %10s   %s", s.Function, number(s.Percent, 1), nanos(s.Nanos), strings.Join(s.Stages, "; "))
	}
}
