package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

// outcome is what the three witnesses of one case said.
type outcome struct {
	result   line   // of alice
	server   []line // all of bob
	hub      []line // all of the connector
	stats    line   // the connector's last
	exitCode int    // of alice
}

func (o outcome) events(name string) (found []line) {
	for _, l := range o.server {
		if l.Event == name {
			found = append(found, l)
		}
	}
	return found
}

// received is the sum of the totals of bob's connections as he gave them when he
// closed, or of his money events if he never did: a JavaScript end is now and
// then gone before its last packet was read.
func (o outcome) received() amount {
	closes := o.closes()
	if len(closes) == 0 {
		return o.money()
	}
	return sum(closes, func(l line) amount { return l.TotalReceived })
}

// closes is the last close event of each connection: the reference library may
// emit a connection's twice.
func (o outcome) closes() []line {
	var last []line
	for _, l := range o.events("close") {
		if i := slices.IndexFunc(last, func(x line) bool { return bytes.Equal(x.Connection, l.Connection) }); i >= 0 {
			last[i] = l
		} else {
			last = append(last, l)
		}
	}
	return last
}

// money is the sum of bob's money events.
func (o outcome) money() amount {
	return sum(o.events("money"), func(l line) amount { return l.Amount })
}

func sum(lines []line, of func(line) amount) amount {
	total := new(big.Int)
	for _, l := range lines {
		n, ok := new(big.Int).SetString(string(of(l)), 10)
		if !ok {
			return "not a number: " + of(l)
		}
		total.Add(total, n)
	}
	return amount(total.String())
}

// receiverTotal is what @interledger/stream-receiver counted, on its one
// connection.
func (o outcome) receiverTotal() amount {
	for _, l := range o.events("totals") {
		var connections []struct {
			TotalReceived amount `json:"totalReceived"`
		}
		if err := json.Unmarshal(l.Connections, &connections); err == nil && len(connections) == 1 {
			return connections[0].TotalReceived
		}
	}
	return "no totals"
}

// stream returns alice's first stream, or a zero one.
func (o outcome) stream() side { return first(o.result.Streams) }

func first(s []side) side {
	if len(s) == 0 {
		return side{}
	}
	return s[0]
}

// problems collects what does not agree.
type problems []string

func (p *problems) equal(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		*p = append(*p, fmt.Sprintf("%s: got %s, want %s", what, g, w))
	}
}

func (p *problems) true(what string, ok bool) {
	if !ok {
		*p = append(*p, what)
	}
}

// atMost compares amounts as numbers.
func (p *problems) atMost(what string, got, bound amount) {
	g, gok := new(big.Int).SetString(string(got), 10)
	b, bok := new(big.Int).SetString(string(bound), 10)
	if !gok || !bok || g.Cmp(b) > 0 {
		*p = append(*p, fmt.Sprintf("%s: got %s, want at most %s", what, got, bound))
	}
}

// books holds both ends against the ledger: what alice says she sent is what the
// connector took, and what it passed on is what bob says he received and what
// alice says was delivered.
func (p *problems) books(o outcome, sent, delivered amount) {
	p.equal("alice's totalSent", o.result.TotalSent, sent)
	p.equal("alice's totalDelivered", o.result.TotalDelivered, delivered)
	p.equal("bob's totalReceived", o.received(), delivered)
	p.ledger(o, sent, delivered)
}

func (p *problems) ledger(o outcome, sent, delivered amount) {
	p.equal("ledger, from alice", o.stats.Ledger["alice"].InFulfilled, sent)
	p.equal("ledger, to bob", o.stats.Ledger["bob"].OutFulfilled, delivered)
}

func TestBooksNoticeOneUnit(t *testing.T) {
	good := func() outcome {
		return outcome{
			result: line{TotalSent: "5000", TotalDelivered: "7500"},
			server: []line{{Event: "close", Connection: []byte("1"), TotalReceived: "7000"}, {Event: "close", Connection: []byte("2"), TotalReceived: "500"}},
			stats:  line{Ledger: map[string]account{"alice": {InFulfilled: "5000"}, "bob": {OutFulfilled: "7500"}}},
		}
	}
	var p problems
	if p.books(good(), "5000", "7500"); len(p) > 0 {
		t.Errorf("agreeing books: %q", p)
	}
	open := good()
	open.server = []line{{Event: "money", Amount: "7000"}, {Event: "money", Amount: "500"}}
	if p.books(open, "5000", "7500"); len(p) > 0 {
		t.Errorf("agreeing books of a connection that never closed: %q", p)
	}
	for name, spoil := range map[string]func(*outcome){
		"alice sent one more":   func(o *outcome) { o.result.TotalSent = "5001" },
		"alice thinks one less": func(o *outcome) { o.result.TotalDelivered = "7499" },
		"bob received one less": func(o *outcome) { o.server[1].TotalReceived = "499" },
		"bob says nothing":      func(o *outcome) { o.server = nil },
		"bob's money is one less": func(o *outcome) {
			o.server = []line{{Event: "money", Amount: "7000"}, {Event: "money", Amount: "499"}}
		},
		"bob says no number":         func(o *outcome) { o.server[0].TotalReceived = "" },
		"the ledger took one more":   func(o *outcome) { o.stats.Ledger["alice"] = account{InFulfilled: "5001"} },
		"the ledger gave one less":   func(o *outcome) { o.stats.Ledger["bob"] = account{OutFulfilled: "7499"} },
		"the connector said nothing": func(o *outcome) { o.stats = line{} },
	} {
		o := good()
		spoil(&o)
		var p problems
		if p.books(o, "5000", "7500"); len(p) != 1 && name != "the connector said nothing" || len(p) == 0 {
			t.Errorf("%s: %q", name, p)
		}
	}
	p = nil
	p.atMost("more", "10", "9")
	p.atMost("no number", "", "9")
	if len(p) != 2 {
		t.Errorf("atMost: %q", p)
	}
	p = nil
	if p.atMost("as much", "9", "9"); len(p) != 0 {
		t.Errorf("atMost: %q", p)
	}
}
