package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loadLimit is how long a run of loadgen may take with its null engine; a million
// connections are opened within it.
const loadLimit = 4 * time.Minute

// loadResult is what is used of loadgen's JSON object.
type loadResult struct {
	RoundTripsPerSecond float64 `json:"round_trips_per_second"`
	CPU                 struct {
		Sender, Receiver, Total, User, System float64
	} `json:"cpu_ns_per_round_trip"`
	Latency latency `json:"latency_ns"`
	Data    struct {
		Intact           bool
		OctetsPerSecond  float64                 `json:"octets_per_second"`
		PacketsPerSecond float64                 `json:"packets_per_second"`
		CPU              struct{ Total float64 } `json:"cpu_ns_per_mebibyte"`
	}
	Opening struct {
		Seconds float64
		CPU     perEnd `json:"cpu_ns_per_connection"`
		Pause   perEnd `json:"longest_pause_ns"`
		Memory  perEnd `json:"resident_octets_per_connection"`
	}
	Asleep struct {
		Memory perEnd `json:"resident_octets_per_connection"`
	}
	Profile struct {
		Samples   float64
		Stages    []profilePart
		Functions []profilePart
	}
	Allocs           float64 `json:"allocs_per_round_trip"`
	Collector        perEnd  `json:"collector_percent_of_cpu"`
	Collections      perEnd  `json:"collections"`
	FramesPerWrite   float64 `json:"frames_per_write"`
	PacketsPerVector float64 `json:"packets_per_vector"`
	MoneyAgrees      bool    `json:"money_agrees"`
	Interrupted      bool
	Failure          string
	Null             *nullResult // nil where the null engine cannot run
	NullOpen         *nullResult `json:"null_open_loop"`
}

// profilePart is a stage, or a function with the stages that it works for.
type profilePart struct {
	Stage, Function string
	Stages          []string
	Percent         float64
	Nanos           float64 `json:"cpu_ns_per_round_trip"`
}

type latency struct{ P50, P90, P99, P999, Max float64 }

type perEnd struct{ Sender, Receiver, Total float64 }

type nullResult struct {
	MessagesPerSecond float64 `json:"messages_per_second"`
	CPUPerMessage     float64 `json:"cpu_ns_per_message"`
	Latency           latency `json:"latency_ns"`
}

// loadgen runs two processes, and refuses a run whose money does not agree.
func (r *runner) loadgen(ctx context.Context, args ...string) (*loadResult, error) {
	binary, err := r.build(ctx, "loadgen", program)
	if err != nil {
		return nil, err
	}
	out, err := r.command(ctx, loadLimit, r.root, binary, append([]string{"-processes", "2", "-json", "-"}, args...)...)
	if err != nil {
		return nil, err
	}
	var res loadResult
	if err := json.Unmarshal(out, &res); err != nil {
		return nil, fmt.Errorf("loadgen's figures: %w", err)
	}
	switch {
	case res.Failure != "":
		return nil, errors.New(res.Failure)
	case res.Interrupted:
		return nil, errors.New("interrupted")
	case slices.Contains(args, "-data") && !res.Data.Intact:
		return nil, errors.New("the data is not intact")
	case !res.MoneyAgrees:
		return nil, errors.New("the money does not agree")
	}
	return &res, nil
}

func loadgenCommand(args ...string) string {
	return "go run ./loadgen -processes 2 " + strings.Join(args, " ")
}

// The published lines of ilp-protocol-stream, as the scripts call them.
var jsLines = []string{"alpha", "stable"}

// A script is given so long; it takes a few seconds.
const scriptLimit = 2 * time.Minute

// jsMoney runs 50 connections of the JavaScript stack over BTP, where it does best.
func (r *runner) jsMoney(ctx context.Context, f *figures, line string) error {
	var res struct {
		Stream        string
		ByConnections map[string]struct {
			Pps jsSpread
			CPU struct{ Total jsSpread } `json:"cpu_us_per_packet"`
			All bool                     `json:"all_delivered"`
		} `json:"by_connections"`
	}
	if err := r.script(ctx, &res, "js-stream-btp.mjs", "--via", "direct", "--conns", "50", "--repeats", "1", "--stream", line,
		"--packets", r.pick("2000", "500")); err != nil {
		return err
	}
	at := res.ByConnections["50"]
	if !at.All {
		return errors.New("the JavaScript stack has not delivered all")
	}
	f.add(res.Stream, "packets/s", at.Pps.Median)
	f.add(res.Stream, "cpu-ns", at.CPU.Total.Median*1e3)
	return nil
}

// jsData carries octets through the JavaScript stack within one process, each of its
// published lines.
func (r *runner) jsData(ctx context.Context, f *figures) error {
	for _, line := range jsLines {
		if err := r.jsDataOf(ctx, f, line); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) jsDataOf(ctx context.Context, f *figures, line string) error {
	var res struct {
		Stream string
		MibS   jsSpread `json:"mib_s"`
		CPU    jsSpread `json:"cpu_ms_per_mib"`
	}
	if err := r.script(ctx, &res, "js-stream-loopback.mjs", "--mode", "data", "--repeats", "1", "--mib", r.pick("16", "4"), "--stream", line); err != nil {
		return err
	}
	f.add(res.Stream, "MiB/s", res.MibS.Median)
	f.add(res.Stream, "cpu-ms/MiB", res.CPU.Median)
	return nil
}

type jsSpread struct{ Median float64 }

// script runs a script of the JavaScript stack, which prints one JSON object.
func (r *runner) script(ctx context.Context, into any, name string, args ...string) error {
	out, err := r.command(ctx, scriptLimit, filepath.Join(r.root, peersDir), "node", append([]string{name}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
