package interop

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

var (
	nonce         = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 16))
	receiptSecret = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
	withReceipts  = "--receipt-nonce " + nonce + " --receipt-secret " + receiptSecret
)

// featureCases are payments that use what STREAM has beside money and data.
var featureCases = []testCase{
	{name: "padding", on: everywhere, hub: thousandEach, receive: "--padding", send: "--send 5000 --padding", check: agree("5000", "5000")},
	{name: "receipts", on: everywhere, hub: "--max-packet 1000 --rate alice:bob=2", receive: withReceipts, send: "--streams 2 --send 5000 --receipt-secret " + receiptSecret, check: func(p *problems, o outcome) {
		p.books(o, "10000", "20000")
		p.equal("streams", len(o.result.Streams), 2)
		for _, s := range o.result.Streams {
			p.true("a receipt that does not verify", s.ReceiptValid)
			p.equal("receipt", fmt.Sprintf("%s %s %s", s.ReceiptTotal, s.ReceiptStream, s.ReceiptNonce), fmt.Sprintf("10000 %d %s", s.ID, nonce))
		}
	}},
	{name: "steps", on: everywhere, hub: thousandEach, send: "--send 5000 --step 700 --step-ms 5", check: agree("5000", "5000")},
	{name: "receive-max-zero", on: everywhere, hub: thousandEach, receive: "--receive-max 0", send: "--send 1000 --timeout 1000", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.ledger(o, "0", "0")
	}},
	{name: "receive-max-raised", on: everywhere, hub: thousandEach, receive: "--receive-max 1000 --raise-by 1500 --raise-ms 50", send: "--send 5000", check: agree("5000", "5000")},
	{name: "many-streams", on: everywhere, hub: thousandEach, send: "--streams 8 --send 2500", check: agree("20000", "20000")},
	{name: "many-streams-data", on: everywhere, send: "--streams 5 --data-bytes 60000 --hold-ms 300", check: func(p *problems, o outcome) {
		p.equal("streams", len(o.result.Streams), 5)
		// A JavaScript end that finds its peer gone forgets what it has not read, and does
		// not say that the connection has closed: hence the hold, and the streams.
		total := 0
		for _, s := range o.events("stream-close") {
			total += s.Bytes
		}
		p.equal("octets", total, 300_000)
	}},
	{name: "slow-reader", on: []pairing{server, both}, receive: "--read-bytes 8192 --read-ms 2", send: "--data-bytes 200000", check: func(p *problems, o outcome) {
		p.equal("octets", bobs(o).Bytes, 200_000)
		sameData(p, o)
	}},
	{name: "echo", on: []pairing{server, both}, receive: "--echo", send: "--data-bytes 50000 --hold-ms 500", check: func(p *problems, o outcome) {
		p.equal("octets that came back", o.stream().DataReceived, 50_000)
		p.equal("what came back", o.stream().DataReceivedSHA256, o.stream().DataSHA256)
	}},
	{name: "fixed-rate", on: everywhere, hub: "--max-packet 1000 --rate alice:bob=1.5", send: "--send 5000 --rate 1.5", check: agree("5000", "7500")},
	{name: "rate-tiny", on: everywhere, hub: "--rate alice:bob=0.000001", send: "--send 5000000000", check: agree("5000000000", "5000")},
	{name: "rate-huge", on: everywhere, hub: "--rate alice:bob=1000000", send: "--send 5000", check: agree("5000", "5000000000")},
	{name: "near-2^64", on: everywhere, send: "--send 18000000000000000000", check: agree("18000000000000000000", "18000000000000000000")},
	{name: "path-of-ten", on: everywhere, hub: "--max-packet 10", receive: "--slippage 0.2", send: "--send 300 --min-precision 2 --close none --timeout 3000", check: func(p *problems, o outcome) {
		p.atMost("alice's totalSent", o.result.TotalSent, "300")
		p.equal("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, o.result.TotalSent)
	}},
	{name: "both-ways", on: everywhere, hub: "--max-packet 1000 --rate alice:bob=2 --rate bob:alice=0.5", receive: "--send-back 4000", send: "--send 3000 --receive 2000", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.books(o, "3000", "6000")
		p.equal("alice received", o.stream().TotalReceived, "2000")
		p.equal("ledger, from bob", o.stats.Ledger["bob"].InFulfilled, "4000")
	}},
	{name: "destroy", on: []pairing{client, both}, hub: thousandEach, send: "--send 5000 --close destroy", check: func(p *problems, o outcome) {
		p.ledger(o, "5000", "5000")
	}},

	// Other senders and receivers.
	{name: "pay-deliver", on: []pairing{server}, hub: "--max-packet 1000 --rate alice:bob=1.5", send: "--deliver 15000", sender: "js-pay-client.mjs", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.atMost("what was to be delivered", "15000", o.result.AmountDelivered)
		p.equal("bob's totalReceived", o.received(), o.result.AmountDelivered)
		p.equal("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, o.result.AmountSent)
	}},
	{name: "pay-poor-rate", on: []pairing{server}, hub: "--max-packet 1000 --rate alice:bob=0.5", send: "--send 20000", sender: "js-pay-client.mjs", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.ledger(o, "0", "0")
	}},
	{name: "pay-receipts", on: []pairing{server}, hub: thousandEach, receive: withReceipts, send: "--send 5000", sender: "js-pay-client.mjs", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.ledger(o, "5000", "5000")
		b, err := base64.StdEncoding.DecodeString(o.result.Receipt)
		p.true("no receipt", err == nil && len(b) == 58)
	}},
	{name: "spsp-pay", on: []pairing{server}, hub: thousandEach, receive: "--spsp-port 0", send: "--send 5000", sender: "js-spsp-client.mjs", spsp: true, check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.equal("alice's totalSent", o.result.TotalSent, "5000")
		p.ledger(o, "5000", "5000")
	}},
	{name: "spsp-pull", on: []pairing{server}, hub: thousandEach, receive: "--spsp-port 0 --send-back 5000", send: "--pull 5000", sender: "js-spsp-client.mjs", spsp: true, check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, true)
		p.equal("alice's totalReceived", o.result.TotalReceived, "5000")
		p.equal("ledger, from bob", o.stats.Ledger["bob"].InFulfilled, "5000")
	}},
	{name: "receiver-receipts", on: []pairing{client}, hub: thousandEach, receive: withReceipts, send: "--send 5000 --receipt-secret " + receiptSecret, receiver: "js-stream-receiver.mjs", check: func(p *problems, o outcome) {
		p.equal("bob's total", o.receiverTotal(), "5000")
		p.true("a receipt that does not verify", o.stream().ReceiptValid)
		p.equal("receipt", o.stream().ReceiptTotal, "5000")
		p.ledger(o, "5000", "5000")
	}},
}
