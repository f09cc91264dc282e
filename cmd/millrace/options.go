package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// connFlags are the flags of both commands that tune connections.
var connFlags = []flagSpec{
	{"slippage", "X", "how far the rate may fall, as a share of 1 (0.01)", isSlippage},
	{"expiry-ms", "MS", "how far ahead our packets expire (30000)", isMs},
	{"idle-ms", "MS", "end a connection that is silent for so long (60000)", isMs},
	{"max-remote-streams", "N", "streams that the peer may have open (10)", count(1, 1<<20)},
	{"padding", "", "fill packets up to the largest size, so that it tells nothing", nil},
	{"in-flight", "N", "packets in flight of a connection; 1 sends one after the other (16384)", count(1, 1<<20)},
	{"buffer", "OCTETS", "data that a connection buffers (1048576)", count(1, 1<<30)},
}

// options are the settings of the connections.
func options(f flags, maxPacket string) stream.Options {
	o := stream.Options{
		Expiry:           int64(f.ms("expiry-ms", 0)),
		IdleTimeout:      int64(f.ms("idle-ms", 0)),
		MaxRemoteStreams: int(f.number("max-remote-streams", 0)),
		MinRatePrecision: int(f.number("min-precision", 0)),
		MaxPacketAmount:  stream.Amount(f.amount(maxPacket, 0)),
		MaxInFlight:      int(f.number("in-flight", 0)),
		Padding:          f.on("padding"),
	}
	if f.on("slippage") {
		if o.SlippagePPM = partsPerMillion(f.rational("slippage")); o.SlippagePPM == 0 {
			o.SlippagePPM = -1 // zero would mean the default
		}
	}
	if f.on("rate") {
		r := f.rational("rate")
		o.RateNum, o.RateDen = r.Num().Uint64(), r.Denom().Uint64()
	}
	if n := int(f.number("buffer", 0)); n > 0 {
		// A connection takes at least what a peer may send before it is told.
		o.SendBuffer, o.ConnectionWindow = n, max(n, 65534)
	}
	return o
}

func partsPerMillion(share *big.Rat) int {
	ppm := new(big.Rat).Mul(share, big.NewRat(1_000_000, 1))
	return int(new(big.Int).Div(ppm.Num(), ppm.Denom()).Int64())
}

// dial starts an engine and connects it to the peer of --btp-url. The caller
// closes the engine even when there is an error, if there is one.
func dial(ctx context.Context, f flags, stderr io.Writer) (*engine.Engine, *engine.Link, error) {
	eng, err := newEngine(stderr)
	if err != nil {
		return nil, nil, err
	}
	link, err := eng.DialBTP(ctx, f["btp-url"], engine.LinkConfig{
		Address: f["local-address"], AssetCode: f.text("asset", "USD"), AssetScale: uint8(f.number("scale", 9)),
	})
	if err != nil {
		return eng, nil, fmt.Errorf("connect to %s: %w", redacted(f["btp-url"]), err)
	}
	return eng, link, nil
}

func newEngine(stderr io.Writer) (*engine.Engine, error) {
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg := engine.Config{Logger: log}
	eng, err := engine.New(cfg)
	if errors.Is(err, engine.ErrBackend) {
		cfg.StdNet = true
		return engine.New(cfg)
	}
	return eng, err
}

// closeEngine gives links a moment to say goodbye.
func closeEngine(eng *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	_ = eng.Close(ctx)
}
