package main

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

var receiveCommand = command{
	name: "receive",
	lead: `millrace receive takes STREAM connections and says what arrives.

  millrace receive --btp-url btp+ws://bob:token@127.0.0.1:7768
  millrace receive --btp-listen 7768 --token secret --receive-max 1000000
  millrace receive --btp-listen 7768 --spsp-port 3000

It prints an address and a shared secret to give to a sender ("millrace send"), and
runs until Ctrl-C: then it drains, and reports what was still open and the totals.
They are good for one connection: for more, print more with --credentials N, or
give out fresh ones at a URL with --spsp-port, to whoever asks by SPSP.
`,
	tail: "On a terminal it speaks to a person; else it prints one JSON object a line.\nExit status: 0 done, 1 failed, 2 wrong usage.\n",
	flags: append([]flagSpec{
		{"btp-url", "URL", "connect to btp+ws://NAME:TOKEN@HOST:PORT, which tells our address", isURL},
		{"btp-listen", "PORT", "or wait for one peer on 127.0.0.1:PORT (or HOST:PORT; port 0 picks one)", isPort},
		{"token", "TOKEN", "that the peer of --btp-listen has to know (token)", nil},
		{"address", "ADDRESS", "our ILP address, instead of asking the peer for it; with --btp-listen\n(test.millrace) the peer becomes ADDRESS.peer", isAddress},
		{"asset", "CODE", "our asset, when we say it (USD)", nil},
		{"scale", "N", "its scale (9)", count(0, 255)},
		{"server-secret", "BASE64", "32 octets: credentials survive a restart", isSecret},
		{"credentials", "N", "how many credentials to print (1), each good for one connection", count(1, 1_000_000)},
		{"spsp-port", "PORT", "give out credentials by SPSP too, on http://127.0.0.1:PORT/ (or HOST:PORT;\nport 0 picks one)", isPort},
		{"tag", "TAG", "goes into the credentials and comes back with the connection", nil},
		{"receipt-nonce", "BASE64", "16 octets of a verifier's: fulfills carry receipts", isNonce},
		{"receipt-secret", "BASE64", "32 octets that they are signed with", isSecret},
		{"decline-every", "K", "decline every Kth money packet", count(1, 1<<30)},
		{"receive-max", "N|max|0", "what each incoming stream takes (max); its last packet\nmay bring 1 % more than was left, as senders round up", isAmount},
		{"raise-by", "N", "raise that by N, every --raise-ms", isAmount},
		{"raise-ms", "MS", "(100)", isMs},
		{"send-back", "N", "send N on every incoming stream", isAmount},
		{"server-stream", "N", "open a stream of our own on every connection and send N", isAmount},
		{"server-data", "OCTETS", "send so much data on it", count(1, 1<<30)},
		{"echo", "", "send incoming data back", nil},
		{"read-bytes", "OCTETS", "read data in such pieces, one every --read-ms", count(1, 1<<24)},
		{"read-ms", "MS", "(20)", isMs},
		{"print-data", "", "print incoming data itself, not only how much it is", nil},
		{"max-packet-out", "N", "the most that we send in one packet", isAmount},
		{"destroy-after", "MS", "end each connection with an error after so long", isMs},
		{"end-after", "MS", "end each connection in order after so long", isMs},
		{"exit-on-close", "", "stop after the first connection closes", nil},
		{"life", "MS", "stop after so long", isMs},
		{"json", "", "print JSON lines even on a terminal", nil},
	}, connFlags...),
	later: []string{"max-packet", "trace", "stream"},
	check: checkReceive,
	run:   receive,
}

func checkReceive(f flags) error {
	switch {
	case f.on("btp-url") == f.on("btp-listen"):
		return usagef("give either --btp-url or --btp-listen")
	case f.on("raise-by") && f.text("receive-max", "max") == "max":
		return usagef("--raise-by needs a --receive-max to start from")
	case f.on("btp-listen") && !f.on("token") && !onLoopback(f["btp-listen"]):
		return usagef("--btp-listen beyond loopback needs a --token of its own")
	case f.on("receipt-nonce") != f.on("receipt-secret"):
		return usagef("--receipt-nonce and --receipt-secret go together")
	case f.on("raise-ms") && !f.on("raise-by"):
		return usagef("--raise-ms needs --raise-by")
	}
	return nil
}

func isURL(s string) error {
	switch {
	case strings.HasPrefix(s, "btp+wss://"):
		return engine.ErrWSS
	case !strings.HasPrefix(s, "btp+ws://"):
		return errors.New("must look like btp+ws://NAME:TOKEN@HOST:PORT")
	}
	return nil
}

// receive is the command.
func receive(ctx context.Context, f flags, out *output, stderr io.Writer) error {
	if life := f.ms("life", 0); life > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, life)
		defer cancel()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg := engine.ServerConfig{Options: options(f, "max-packet-out")}
	cfg.Options.ReceiveMax = stream.Amount(f.amount("receive-max", maxAmount))
	if f.on("server-secret") {
		cfg.Secret = f.octets("server-secret")
	}
	if f.on("decline-every") {
		cfg.ShouldFulfill = declineEvery(f.number("decline-every", 1), out)
	}
	eng, srv, ready, err := open(ctx, f, cfg, stderr)
	if eng != nil {
		defer closeEngine(eng)
	}
	if err != nil {
		return err
	}
	credentials, err := issue(srv, f)
	if err != nil {
		return err
	}
	first := credentials[0]
	ready = append(object{"role", "stream-server"}, append(first, ready...)...)
	if len(credentials) > 1 {
		ready = ready.with("credentials", credentials)
	}
	if f.on("spsp-port") {
		endpoint, stop, err := serveSPSP(f, srv, out)
		if err != nil {
			return err
		}
		defer stop()
		ready = ready.with("spsp", endpoint)
	}
	out.say("ready", ready...)
	if !out.json {
		_, _ = fmt.Fprintf(out.w, "\nSend to it:  millrace send --btp-url %s --dest %v --secret %v --send 1000\n\n", sendersURL(f, ready), first[1], first[3])
	}

	r := &receiving{ctx: ctx, flags: f, out: out, stopped: make(chan struct{}), enough: stop}
	for {
		conn, err := srv.Accept(ctx)
		if err != nil {
			break
		}
		r.take(conn)
	}
	failed := eng.Err()
	r.drain(srv)
	if !out.json { // programs add up the lines themselves
		r.mu.Lock()
		defer r.mu.Unlock()
		out.say("total", "connections", r.count, "received", r.received, "sent", r.sent)
	}
	return failed
}

// open dials or listens, and puts a server there. The object says what a client
// may want to know of it.
func open(ctx context.Context, f flags, cfg engine.ServerConfig, stderr io.Writer) (*engine.Engine, *engine.Server, object, error) {
	if f.on("btp-url") {
		eng, link, err := dial(ctx, withLocalAddress(f), stderr)
		if err != nil {
			return eng, nil, nil, err
		}
		srv, err := link.Listen(cfg)
		code, scale := link.Asset()
		return eng, srv, object{"assetCode", code, "assetScale", scale}, err
	}
	eng, err := newEngine(stderr)
	if err != nil {
		return nil, nil, nil, err
	}
	code, scale := f.text("asset", "USD"), uint8(f.number("scale", 9))
	ln, err := eng.ListenBTP(listenOn(f["btp-listen"]), engine.ListenConfig{
		Address: f.text("address", "test.millrace"), AssetCode: code, AssetScale: scale,
		Accounts: onePeer(f.text("token", "token")),
	})
	if err != nil {
		return eng, nil, nil, err
	}
	srv, err := ln.Listen(cfg)
	return eng, srv, object{"assetCode", code, "assetScale", scale, "btp", "btp+ws://:TOKEN@" + ln.Addr().String()}, err
}

// sendersURL is the --btp-url of who sends to us, for a shell: the one that we listen on
// with its token or, over a connector, an account of the sender's own.
func sendersURL(f flags, ready object) string {
	for i := 0; i+1 < len(ready); i += 2 {
		if ready[i] == "btp" {
			return quoted(strings.Replace(fmt.Sprint(ready[i+1]), "TOKEN", f.text("token", "token"), 1))
		}
	}
	return "btp+ws://NAME:TOKEN@HOST:PORT"
}

// quoted makes a text one word of a shell.
func quoted(s string) string {
	for _, c := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/@%", c) {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return s
}

// onLoopback says whether only this machine can connect.
func onLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listenOn(listen))
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// isPort checks for a port, or a host and a port.
func isPort(s string) error {
	_, port, err := net.SplitHostPort(listenOn(s))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("must be a port from 0 to 65535, or HOST:PORT")
	}
	return nil
}

// listenOn makes an address of a port: loopback, unless a host is named.
func listenOn(s string) string {
	if strings.Contains(s, ":") {
		return s
	}
	return net.JoinHostPort("127.0.0.1", s)
}

// onePeer lets in whoever knows the token, as one account.
func onePeer(want string) func(string, string) (string, error) {
	return func(_, token string) (string, error) {
		if subtle.ConstantTimeCompare([]byte(token), []byte(want)) != 1 {
			return "", engine.ErrUnauthorized
		}
		return "peer", nil
	}
}

// withLocalAddress lets --address stand for the --local-address that dial reads.
func withLocalAddress(f flags) flags {
	if f.on("address") {
		f["local-address"] = f["address"]
	}
	return f
}

// credentialOptions is what goes into all credentials.
func credentialOptions(f flags) stream.CredentialOptions {
	o := stream.CredentialOptions{Tag: f["tag"]}
	if f.on("receipt-nonce") {
		o.ReceiptNonce, o.ReceiptSecret = f.octets("receipt-nonce"), f.octets("receipt-secret")
	}
	return o
}

func issue(srv *engine.Server, f flags) ([]object, error) {
	var list []object
	for range f.number("credentials", 1) {
		c, err := srv.Credentials(credentialOptions(f))
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		list = append(list, object{
			"destinationAccount", c.Address, "sharedSecret", base64.StdEncoding.EncodeToString(c.Secret[:]), "receiptsEnabled", f.on("receipt-nonce"),
		})
	}
	return list, nil
}

var errDeclined = errors.New("declined")

// declineEvery accepts all money packets but every kth.
func declineEvery(k int64, out *output) engine.ShouldFulfill {
	var seen atomic.Int64
	return func(_ context.Context, in engine.Incoming) error {
		if seen.Add(1)%k != 0 {
			return nil
		}
		line := object{"amount", amount(in.Amount), "packetId", base64.StdEncoding.EncodeToString(in.PacketID[:])}
		out.say("declined", line.maybe("tag", in.Tag)...)
		return errDeclined
	}
}

// receiving is what all connections share.
type receiving struct {
	ctx     context.Context
	flags   flags
	out     *output
	stopped chan struct{} // the time to drain is over: report as it is
	enough  func()        // stops the command
	serving sync.WaitGroup
	count   int

	mu             sync.Mutex
	received, sent stream.Amount // of the connections that were reported
}

// drainFor is how long connections that are open at the end may take to close.
const drainFor = time.Second

// drain closes what is open in order, and reports what does not close.
func (r *receiving) drain(srv *engine.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	_ = srv.Close(ctx)
	close(r.stopped)
	waitFor(&r.serving, drainFor)
}
