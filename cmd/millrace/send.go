package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

var sendCommand = command{
	name: "send",
	lead: `millrace send opens a STREAM connection and sends money and data on it.

  millrace send --btp-url btp+ws://alice:token@127.0.0.1:7768 --dest ADDRESS --secret BASE64 --send 5000

ADDRESS and the shared secret come from the receiver ("millrace receive" prints
both), or by SPSP from a payment pointer:

  millrace send --btp-url URL --pointer '$wallet.example/bob' --send 5000

Ctrl-C stops sending, waits for what is in flight, and reports.
`,
	tail: "On a terminal it speaks to a person; else it prints one JSON object a line, the\nlast with the totals.\nExit status: 0 done, 1 failed, 2 wrong usage.\n",
	flags: append([]flagSpec{
		{"btp-url", "URL", "connect to btp+ws://NAME:TOKEN@HOST:PORT. Required", isURL},
		{"dest", "ADDRESS", "the receiver's ILP address", isAddress},
		{"secret", "BASE64", "and the shared secret, 32 octets; or 64 hexadecimal digits", isSecret},
		{"pointer", "POINTER", "or whom to ask for both: a payment pointer or an SPSP URL", isPointer},
		{"local-address", "ADDRESS", "our ILP address, instead of asking the peer for it", isAddress},
		{"asset", "CODE", "our asset then (USD)", nil},
		{"scale", "N", "its scale (9)", count(0, 255)},
		{"receipt-secret", "BASE64", "verify the receiver's receipts with these 32 octets", isSecret},
		{"streams", "K", "how many streams to open; all do the same (1)", count(1, 1<<16)},
		{"send", "N", "send N units on each", isAmount},
		{"step", "N", "in steps of N, each once the last has arrived", isAmount},
		{"step-ms", "MS", "pause between steps (10)", isMs},
		{"data", "TEXT", "send this on each", nil},
		{"data-bytes", "OCTETS", "or so much filler", count(1, 1<<30)},
		{"receive", "N", "take N units on each, and wait for them", isAmount},
		{"server-streams", "N", "wait until N streams of the receiver's have ended (0)", count(0, 1<<16)},
		{"server-receive-max", "N|max|0", "what each of those takes (max)", isAmount},
		{"max-packet", "N", "the most that we send in one packet", isAmount},
		{"rate", "X", "fixed exchange rate, units delivered per unit sent: no probing", isRate},
		{"min-precision", "DIGITS", "decimal digits of the rate that probing must find (3)", count(1, 18)},
		{"hold-ms", "MS", "stay so long before closing", isMs},
		{"close", "end|destroy|none", "how to finish (end)", oneOf("end", "destroy", "none")},
		{"timeout", "MS", "give up after so long (60000)", isMs},
		{"json", "", "print JSON lines even on a terminal", nil},
	}, connFlags...),
	later: []string{"trace", "btp-listen", "token", "ask-ildcp", "stream"},
	check: checkSend,
	run:   send,
}

// purposes are the flags of which send needs one, to have something to do.
var purposes = []string{"send", "data", "data-bytes", "receive", "server-streams", "hold-ms"}

func checkSend(f flags) error {
	switch {
	case !f.on("btp-url"):
		return usagef("--btp-url is required")
	case f.on("pointer") && (f.on("dest") || f.on("secret")):
		return usagef("give either --pointer or --dest and --secret")
	case !f.on("pointer") && !f.on("dest"):
		return usagef("--dest (or --pointer) is required")
	case !f.on("pointer") && !f.on("secret"):
		return usagef("--secret is required")
	case f.on("data") && f.on("data-bytes"):
		return usagef("give either --data or --data-bytes")
	case f.on("step") && f.amount("step", 0) == 0:
		return usagef("--step must be above 0")
	case f.on("step") && !f.on("send"):
		return usagef("--step needs --send")
	case !slices.ContainsFunc(purposes, f.on):
		return usagef("nothing to do: give one of --%s", strings.Join(purposes, ", --"))
	}
	return nil
}

// isAddress checks for an ILP address.
func isAddress(s string) error { return ilp.CheckAddress([]byte(s)) }

// isPointer checks for a payment pointer, or a URL.
func isPointer(s string) error {
	_, err := spsp.Resolve(s)
	return err
}

// destination is whom the flags say to pay, asked for if it is a payment pointer.
func (s *sending) destination(ctx context.Context) (address string, secret [32]byte, err error) {
	if !s.flags.on("pointer") {
		return s.flags["dest"], [32]byte(s.flags.octets("secret")), nil
	}
	d, err := spsp.Query(ctx, nil, s.flags["pointer"])
	if err != nil {
		return "", secret, err
	}
	s.out.say("spsp", "endpoint", d.Endpoint, "destinationAccount", d.Address, "receiptsEnabled", d.ReceiptsEnabled)
	return d.Address, d.Secret, nil
}

// redacted is a URL without its token.
func redacted(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + rest
}

// sending is one run of the command.
type sending struct {
	flags   flags
	out     *output
	eng     *engine.Engine
	link    *engine.Link
	conn    engine.Connection
	open    bool // conn is a connection
	began   time.Time
	timeout time.Duration

	mu      sync.Mutex
	jobs    []*job
	remote  []*watched
	ended   int
	changed chan struct{} // a receiver's stream ended
	working sync.WaitGroup
}

// send is the command.
func send(ctx context.Context, f flags, out *output, stderr io.Writer) error {
	s := &sending{flags: f, out: out, began: time.Now(), timeout: f.ms("timeout", time.Minute), changed: make(chan struct{}, 1)}
	result, err := s.run(ctx, stderr)
	ok := err == nil
	line := append(object{"ok", ok}, result...)
	if err != nil && !errors.Is(err, errReported) {
		line = line.with("error", err.Error())
	}
	line = append(line, s.figures()...)
	if s.eng != nil {
		closeEngine(s.eng)
	}
	out.say("result", line...)
	if !ok {
		return errReported
	}
	return nil
}

// run connects, sends, receives and closes. An error that is no errReported
// belongs into the result.
func (s *sending) run(ctx context.Context, stderr io.Writer) (result object, err error) {
	setUp, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.eng, s.link, err = dial(setUp, s.flags, stderr); err != nil {
		return nil, err
	}
	opts := options(s.flags, "max-packet")
	if !s.flags.on("receive") {
		// The receiver's streams can pay at once. With --receive they wait for
		// acceptStreams, so that streams of our own take no more than they should.
		opts.ReceiveMax = stream.Amount(s.flags.amount("server-receive-max", maxAmount))
	}
	address, secret, err := s.destination(setUp)
	if err != nil {
		return nil, err
	}
	conn, err := s.link.Connect(setUp, address, secret, engine.ConnectConfig{Options: opts})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s.conn, s.open = conn, true
	info := conn.Info()
	line := object{"ms", time.Since(s.began).Milliseconds(), "sourceAccount", string(info.Local), "exchangeRate", rate(info.RateNum, info.RateDen)}
	if info.HasAsset {
		line = line.with("destinationAssetCode", string(info.AssetCode)).with("destinationAssetScale", info.AssetScale)
	}
	s.out.say("connected", line...)

	life, stop := context.WithCancel(context.Background())
	defer stop()
	s.working.Go(func() { s.acceptStreams(life) })
	good := s.work(ctx)
	good = s.awaitServerStreams(ctx) && good
	timedOut := s.finish()
	stop()
	waitFor(&s.working, time.Second) // a stream left open may be reading still

	result = object{"streams", s.results(), "serverStreams", s.remoteResults()}
	if why := badEnd(conn.Err()); why != "" && isDone(conn.Done()) && s.flags.text("close", "end") != "destroy" {
		result = result.with("connectionError", why)
		s.out.say("error", "message", why)
	}
	if isDone(conn.Done()) {
		result = result.with("closed", true)
		s.out.say("close")
	}
	if timedOut {
		result = result.with("endTimedOut", true)
	}
	if !good {
		err = errReported
	}
	return result, err
}

// waitFor waits for a group, but not for ever.
func waitFor(group *sync.WaitGroup, patience time.Duration) {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// work runs the streams that we open, side by side, and says whether all went well.
func (s *sending) work(ctx context.Context) bool {
	var all sync.WaitGroup
	for range s.flags.number("streams", 1) {
		j := &job{sending: s}
		s.jobs = append(s.jobs, j)
		all.Go(func() { j.run(ctx) })
	}
	all.Wait()
	return !slices.ContainsFunc(s.jobs, func(j *job) bool { return j.failed != "" })
}

// finish closes the connection as the flags say, and says whether the peer's
// answer to that did not come.
func (s *sending) finish() (timedOut bool) {
	switch s.flags.text("close", "end") {
	case "end":
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Is(s.conn.Close(ctx), context.DeadlineExceeded)
	case "destroy":
		_ = s.conn.Destroy(frame.InternalError, "")
	}
	return false
}

// figures are the totals at the end of the result.
func (s *sending) figures() object {
	var o object
	if s.open {
		info := s.conn.Info()
		o = append(o, "totalSent", amount(info.Sent), "totalDelivered", amount(info.Delivered), "totalReceived", amount(info.Received),
			"exchangeRate", rate(info.RateNum, info.RateDen), "lastPacketExchangeRate", rate(info.LastNum, info.LastDen),
			"minimumAcceptableExchangeRate", minRate(info),
			"sourceAccount", string(info.Local))
		code, scale := s.link.Asset()
		o = append(o, "sourceAssetCode", code, "sourceAssetScale", scale)
		if info.HasAsset {
			o = append(o, "destinationAssetCode", string(info.AssetCode), "destinationAssetScale", info.AssetScale)
		}
	}
	if s.eng != nil {
		st := s.eng.Stats()
		codes := make(rejects, len(st.RejectsIn))
		for code, n := range st.RejectsIn {
			codes[code.String()] = n
		}
		o = o.with("packets", object{"sent", st.PreparesOut, "fulfilled", st.FulfillsIn, "rejected", codes, "received", st.PreparesIn})
	}
	return o.with("elapsed_ms", time.Since(s.began).Milliseconds())
}

// rate spells delivered per sent as a decimal, or nothing while it is unknown.
func rate(num, den uint64) any {
	if den == 0 {
		return nil
	}
	text := new(big.Rat).SetFrac(new(big.Int).SetUint64(num), new(big.Int).SetUint64(den)).FloatString(19)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// minRate is the rate less the slippage, spelled in the same way.
func minRate(info engine.ConnInfo) any {
	if info.RateDen == 0 {
		return nil
	}
	r := new(big.Rat).SetFrac(new(big.Int).SetUint64(info.RateNum), new(big.Int).SetUint64(info.RateDen))
	r.Mul(r, big.NewRat(1_000_000-int64(info.SlippagePPM), 1_000_000))
	return strings.TrimRight(strings.TrimRight(r.FloatString(19), "0"), ".")
}

func digest(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
