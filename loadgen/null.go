package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/millrace-ilp/millrace/internal/nullengine"
)

const (
	// nullBeside is how long the null engine runs after the main run, and
	// nullOpenBeside how long at most as an open loop.
	nullBeside     = time.Second
	nullOpenBeside = 5 * time.Second
)

// runNull runs the yardstick alone.
func runNull(ctx context.Context, cfg config, stdout, stderr io.Writer) int {
	n, err := measureNull(ctx, cfg, cfg.duration(), cfg.rate)
	switch {
	case err != nil:
		return complain(stderr, err)
	case n == nil:
		return complain(stderr, nullengine.ErrUnsupported)
	}
	r := nullResult{*n, cfg.shape(), thisMachine(), version()}
	if err := writeJSON(cfg.json, stdout, r); err != nil {
		return complain(stderr, err)
	}
	p := &printer{w: tableTo(cfg, stdout, stderr)}
	p.line("Null engine: %s links, window %s", grouped(uint64(r.Config.Links)), grouped(uint64(r.Config.Window)))
	p.row("messages", "%s", n)
	n.latencyRow(p, "latency")
	return exitDone
}

// measureNulls drives the null engine after a run: as fast as it goes, and if the run
// was an open loop, with the same arrivals.
func (r *result) measureNulls(ctx context.Context, cfg config) (err error) {
	if r.Null, err = measureNull(ctx, cfg, nullBeside, 0); err != nil || cfg.rate == 0 || r.Null == nil {
		return err
	}
	r.NullOpen, err = measureNull(ctx, cfg, min(cfg.duration(), nullOpenBeside), cfg.rate)
	return err
}

// measureNull drives the null engine with as many links and as wide a window as
// the run. It returns nil where the null engine cannot run. A closed loop measures
// latencies only where that does not cost the rate.
func measureNull(ctx context.Context, cfg config, d time.Duration, rate float64) (*nullFigure, error) {
	p := cfg.profile
	res, err := nullengine.Run(ctx, nullengine.Config{
		Links: p.Links, Window: p.Window, Duration: d, Rate: rate, Poisson: cfg.arrivals == poisson, Latencies: p.Window == 1,
		CPUs: cfg.shape().nullCPUs(),
	})
	switch {
	case errors.Is(err, nullengine.ErrUnsupported):
		return nil, nil
	case err != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("null engine: %w", err)
	}
	n := figureOf(res, rate > 0)
	return &n, nil
}

// writeJSON writes an object to the file of -json, if one was named.
func writeJSON(name string, stdout io.Writer, object any) error {
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if name == "-" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// tableTo is where the table goes: standard output, unless the JSON object has it.
func tableTo(cfg config, stdout, stderr io.Writer) io.Writer {
	if cfg.json == "-" {
		return stderr
	}
	return stdout
}
