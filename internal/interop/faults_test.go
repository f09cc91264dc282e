package interop

import "fmt"

// faultCases are payments over a connector or links that misbehave.
var faultCases = []testCase{
	// Faults. The seed makes the connector's choice the same in every run.
	{name: "t00-5pct", on: everywhere, hub: "--max-packet 1000 --t00 0.05 --seed 7", send: "--send 50000", check: func(p *problems, o outcome) {
		p.true("no T00 was injected", o.stats.Counts["t00"] > 0)
		p.books(o, "50000", "50000")
	}},
	{name: "t04-5pct", on: everywhere, hub: "--max-packet 1000 --t04 0.05 --seed 7", send: "--send 50000", check: func(p *problems, o outcome) {
		p.true("no T04 was injected", o.stats.Counts["t04"] > 0)
		p.books(o, "50000", "50000")
	}},
	// A sender's link goes while fulfills are on their way to it. It comes back,
	// goes on, and never spends again what may have arrived.
	{name: "cut-sender", on: []pairing{client, both}, hub: "--max-packet 1000 --latency 5 --cut alice:10", send: "--send 50000 --timeout 10000", check: func(p *problems, o outcome) {
		p.linkCut(o, "alice")
		p.atMost("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, "50000")
		p.atMost("alice's totalSent", o.result.TotalSent, o.stats.Ledger["alice"].InFulfilled)
		p.equal("ledger, to bob", o.stats.Ledger["bob"].OutFulfilled, o.stats.Ledger["alice"].InFulfilled)
		p.equal("sum of bob's money events", o.money(), o.stats.Ledger["bob"].OutFulfilled)
		if o.result.OK { // all doubts were settled
			p.books(o, "50000", "50000")
		}
	}},
	// A receiver's link goes while its fulfills are on their way to the
	// connector: it may have released more than the connector saw, never less.
	{name: "cut-receiver", on: []pairing{client, both}, hub: "--max-packet 1000 --latency 5 --cut bob:10", send: "--send 50000 --timeout 5000", check: func(p *problems, o outcome) {
		p.linkCut(o, "bob")
		p.equal("alice's totalSent", o.result.TotalSent, o.stats.Ledger["alice"].InFulfilled)
		p.atMost("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, "50000")
		p.atMost("ledger, to bob, against what he received", o.stats.Ledger["bob"].OutFulfilled, o.money())
		p.atMost("what was sent before the cut", "10000", o.result.TotalSent)
	}},
	// The same with packets that expire soon: within the payment it is known again
	// what became of those that were in flight, by the receiver's totals.
	{name: "cut-sender-settled", on: []pairing{client, both}, hub: "--max-packet 1000 --latency 5 --cut alice:10", send: "--send 50000 --expiry-ms 1000 --timeout 15000", check: func(p *problems, o outcome) {
		p.linkCut(o, "alice")
		p.books(o, "50000", "50000")
	}},
	// Prepares that nobody answers are free again once they have expired.
	{name: "drop", on: []pairing{client, both}, hub: "--max-packet 1000 --drop 0.03 --seed 3", send: "--send 50000 --expiry-ms 1000 --timeout 30000", check: func(p *problems, o outcome) {
		p.true("nothing was dropped", o.stats.Counts["dropped"] > 0)
		p.books(o, "50000", "50000")
	}},
	{name: "late-r00", on: []pairing{client, both}, hub: "--max-packet 1000 --timeout 0.05 --seed 5", send: "--send 50000 --expiry-ms 1000 --timeout 20000", check: func(p *problems, o outcome) {
		p.true("nothing was late", o.stats.Counts["r00"] > 0)
		p.books(o, "50000", "50000")
	}},
	{name: "expiry-cut", on: everywhere, hub: "--max-packet 1000 --expiry-cut 2000", send: "--send 5000", check: agree("5000", "5000")},
	// A connector that hands on a wrong fulfillment has proved nothing: what it
	// counted for itself is not ours to pay.
	{name: "bad-fulfill", on: []pairing{client, both}, hub: "--max-packet 1000 --bad-fulfill 0.1 --seed 9", send: "--send 20000", check: func(p *problems, o outcome) {
		p.true("nothing was spoilt", o.stats.Counts["bad_fulfill"] > 0)
		p.equal("alice's totalSent", o.result.TotalSent, "20000")
		p.equal("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, fmt.Sprint(20000+1000*o.stats.Counts["bad_fulfill"]))
		p.equal("ledger, to bob", o.stats.Ledger["bob"].OutFulfilled, o.received())
	}},
	{name: "f08-without-numbers", on: everywhere, hub: "--max-packet 1000 --no-f08-data", send: "--send 20000", check: agree("20000", "20000")},
	{name: "f08-and-t00", on: []pairing{both}, hub: "--max-packet 700 --no-f08-data --t00 0.1 --t04 0.1 --seed 4", send: "--send 20000", check: agree("20000", "20000")},
	// The rate falls by less than the slippage, then by more: the payment goes on
	// in the first case, stops in the second, and nothing is lost.
	{name: "rate-within-slippage", on: []pairing{client, both}, hub: "--max-packet 1000 --rate alice:bob=1.5 --rate-after 3:alice:bob=1.49", send: "--send 10000 --slippage 0.01 --in-flight 1", check: agree("10000", "14930")},
	{name: "rate-beyond-slippage", on: []pairing{client, both}, hub: "--max-packet 1000 --rate alice:bob=1.5 --rate-after 3:alice:bob=1.4", send: "--send 10000 --slippage 0.01 --in-flight 1 --timeout 1500", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.books(o, "3000", "4500")
	}},
	{name: "declines", on: everywhere, hub: thousandEach, receive: "--decline-every 4", send: "--send 10000", check: func(p *problems, o outcome) {
		p.true("nothing was declined", len(o.events("declined")) > 0)
		p.books(o, "10000", "10000")
	}},
	{name: "server-destroys", on: everywhere, hub: "--max-packet 100 --latency 5", receive: "--destroy-after 400", send: "--send 1000000 --in-flight 4 --timeout 8000", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.equal("alice's totalSent", o.result.TotalSent, o.stats.Ledger["alice"].InFulfilled)
	}},
	{name: "server-ends", on: []pairing{client, both}, hub: "--max-packet 100 --latency 5", receive: "--end-after 400", send: "--send 1000000 --in-flight 4 --timeout 8000", check: func(p *problems, o outcome) {
		p.equal("ok", o.result.OK, false)
		p.equal("alice's totalSent", o.result.TotalSent, o.stats.Ledger["alice"].InFulfilled)
		p.equal("ledger, to bob", o.stats.Ledger["bob"].OutFulfilled, o.received())
	}},
}
