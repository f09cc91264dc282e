package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// explainedPercent is from what part of the CPU time on a part has to be explained.
const explainedPercent = 3.0

// profileTables is a further run of the whole engine, which is not measured, for where
// its CPU time goes.
func (r *runner) profileTables(ctx context.Context, rep *report) error {
	load := []string{"-duration", r.pick("20s", "1s"), "-profile"}
	rep.command(loadgenCommand(append(load, "cpu.pprof")...) + "    # once, for the profile")
	res, err := r.loadgen(ctx, append(load, filepath.Join(r.scratch, "cpu.pprof"))...)
	if err != nil {
		return err
	}
	rep.text(fmt.Sprintf("Where it goes: %s samples of a run of its own, of both ends. What takes %v %% and more says what it does.",
		number(res.Profile.Samples), explainedPercent))
	rep.table([]string{"stage", "%", "ns per round trip", "what that is"}, stageRows(res.Profile.Stages))
	rep.text("Functions, each without what it calls:")
	rep.table([]string{"function", "stage", "%", "ns per round trip", "what that is"}, functionRows(res.Profile.Functions))
	return nil
}

func stageRows(stages []profilePart) (rows [][]string) {
	for _, p := range stages {
		text := ""
		if p.Percent >= explainedPercent {
			text = explain(p.Stage)
		}
		if p.Percent > 0 {
			rows = append(rows, []string{p.Stage, number(p.Percent), number(p.Nanos), text})
		}
	}
	return rows
}

func functionRows(functions []profilePart) (rows [][]string) {
	for _, p := range functions {
		if p.Percent >= explainedPercent {
			rows = append(rows, []string{"`" + p.Function + "`", strings.Join(p.Stages, "; "), number(p.Percent), number(p.Nanos), explain(p.Function)})
		}
	}
	return rows
}
