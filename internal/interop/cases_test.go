package interop

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// pairing says who is Millrace: the server, the client, or both.
type pairing string

const (
	server pairing = "server" // bob is ours, alice a JavaScript client
	client pairing = "client" // alice is ours, bob a JavaScript server
	both   pairing = "both"   // both are ours
	none   pairing = "none"   // neither, to try the harness
)

// testCase is one payment. The strings of flags are split at spaces.
type testCase struct {
	name string
	on   []pairing

	hub     string // flags of the connector
	receive string // flags of bob
	send    string // flags of alice

	// spsp makes alice ask an SPSP endpoint of bob's for his address.
	spsp bool
	// sender and receiver replace the JavaScript client or server by another
	// program of peers/.
	sender, receiver string
	// secret and destination replace what bob gave out.
	secret      string
	destination func(string) string

	check func(*problems, outcome)
}

var (
	everywhere   = []pairing{server, client, both}
	wrongSecret  = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32))
	thousandEach = "--max-packet 1000"
)

// cases is the matrix. What a flag means stands at the top of peers/js-hub.mjs,
// js-server.mjs and js-client.mjs.
var cases = slices.Concat(plainCases, featureCases, faultCases)

var plainCases = []testCase{
	// Money.
	{name: "basic", on: everywhere, hub: thousandEach, send: "--send 5000", check: agree("5000", "5000")},
	{name: "one-unit", on: everywhere, send: "--send 1", check: agree("1", "1")},
	{name: "no-limit", on: everywhere, send: "--send 123456789012345", check: agree("123456789012345", "123456789012345")},
	{name: "rate", on: everywhere, hub: "--max-packet 1000 --rate alice:bob=1.5", send: "--send 5000", check: agree("5000", "7500")},
	{name: "latency", on: everywhere, hub: "--max-packet 1000 --latency 30 --jitter 20", send: "--send 10000", check: agree("10000", "10000")},
	{name: "far-expiry", on: []pairing{server}, hub: thousandEach, send: "--send 5000 --expiry-ms 31536000000", check: agree("5000", "5000")},
	{name: "receive-max-fixed", on: []pairing{client}, hub: thousandEach, receive: "--receive-max 2500", send: "--send 6000 --timeout 1500", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.books(o, "2500", "2500")
	}},

	// Data.
	{name: "data", on: everywhere, send: "--data-bytes 1000000", check: func(p *problems, o outcome) {
		p.equal("octets", bobs(o).Bytes, 1_000_000)
		sameData(p, o)
	}},
	{name: "money-and-data", on: []pairing{server, both}, hub: thousandEach, send: "--send 20000 --data-bytes 100000", check: func(p *problems, o outcome) {
		p.books(o, "20000", "20000")
		sameData(p, o)
	}},

	// What the server does.
	{name: "tag", on: []pairing{server, both}, receive: "--tag invoice-0042~x", send: "--send 10", check: func(p *problems, o outcome) {
		p.books(o, "10", "10")
		for _, c := range o.events("connection") {
			p.equal("tag", c.ConnectionTag, "invoice-0042~x")
		}
		p.equal("connections", len(o.events("connection")), 1)
	}},
	{name: "send-back", on: []pairing{server}, hub: thousandEach, receive: "--send-back 2500", send: "--send 100 --receive 2500", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.equal("alice received", o.stream().TotalReceived, "2500")
		p.equal("ledger, from bob", o.stats.Ledger["bob"].InFulfilled, "2500")
		p.equal("ledger, to alice", o.stats.Ledger["alice"].OutFulfilled, "2500")
		p.books(o, "100", "100")
	}},
	{name: "server-stream", on: []pairing{server}, hub: thousandEach, receive: "--server-stream 4000 --server-data 70000", send: "--server-streams 1 --send 10", check: func(p *problems, o outcome) {
		s := first(o.result.ServerStreams)
		p.true("a server's stream has an even number", s.ID > 0 && s.ID%2 == 0)
		p.equal("alice received", s.TotalReceived, "4000")
		p.equal("octets", s.DataReceived, 70_000)
		p.equal("ledger, to alice", o.stats.Ledger["alice"].OutFulfilled, "4000")
	}},

	// What must not work.
	{name: "wrong-secret", on: everywhere, send: "--send 10 --timeout 5000", secret: wrongSecret, check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.equal("connections at bob", len(o.events("connection")), 0)
		p.ledger(o, "0", "0")
	}},
	{name: "no-route", on: everywhere, send: "--send 10 --timeout 5000", destination: toNobody, check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.ledger(o, "0", "0")
	}},

	// Other senders and receivers.
	{name: "pay-send", on: []pairing{server}, hub: thousandEach, send: "--send 20000", sender: "js-pay-client.mjs", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.equal("alice's amountSent", o.result.AmountSent, "20000")
		p.equal("alice's amountDelivered", o.result.AmountDelivered, "20000")
		p.equal("bob's totalReceived", o.received(), "20000")
		p.ledger(o, "20000", "20000")
	}},
	{name: "receiver-send", on: []pairing{client}, hub: "--max-packet 1000 --rate alice:bob=1.5", send: "--send 5000", receiver: "js-stream-receiver.mjs", check: func(p *problems, o outcome) {
		p.equal("alice's totalSent", o.result.TotalSent, "5000")
		p.equal("alice's totalDelivered", o.result.TotalDelivered, "7500")
		p.equal("bob's total", o.receiverTotal(), "7500")
		p.ledger(o, "5000", "7500")
	}},
}

// agree is the check of a payment that simply works.
func agree(sent, delivered amount) func(*problems, outcome) {
	return func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.books(o, sent, delivered)
	}
}

// bobs is the first stream of bob's first connection.
func bobs(o outcome) side {
	if closed := o.events("close"); len(closed) > 0 {
		return first(closed[0].Streams)
	}
	return side{}
}

func sameData(p *problems, o outcome) {
	p.true("alice hashed what she sent", len(o.stream().DataSHA256) == 64)
	p.equal("SHA-256 of the data", bobs(o).SHA256, o.stream().DataSHA256)
}

// linkCut checks that the connector cut the account's link, and that it came back.
func (p *problems) linkCut(o outcome, account string) {
	links := 0
	for _, l := range o.hub {
		if l.Event == "link" && l.Account == account {
			links++
		}
	}
	p.equal("links cut", o.stats.Counts["cut"], 1)
	p.true("the link of "+account+" did not come back", links >= 2)
}

func toNobody(destination string) string {
	return strings.Replace(destination, ".bob.", ".nobody.", 1)
}

// pairings returns where the case is to run.
func (c testCase) pairings() []pairing {
	if *control {
		if c.name == "cut-sender" {
			return nil // ilp-protocol-stream as sender does not survive it
		}
		return []pairing{none}
	}
	if c.name == "basic" { // JavaScript at both ends shows that the harness stands
		return append(slices.Clone(c.on), none)
	}
	return c.on
}

// caseNames lists what TestInterop runs, as pairing/case.
func caseNames() (names []string) {
	for _, c := range cases {
		for _, on := range c.pairings() {
			names = append(names, string(on)+"/"+c.name)
		}
	}
	slices.Sort(names)
	return names
}
