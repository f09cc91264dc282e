package stream

import (
	"testing"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// directory is a Directory of a few machines in one goroutine.
type directory struct {
	homes map[uint64]int
	blind bool // Home has not heard of a claim yet, as in a race
}

func (d *directory) Home(token uint64) (int, bool) {
	shard, ok := d.homes[token]
	return shard, ok && !d.blind
}

func (d *directory) Claim(token uint64, shard int) int {
	if home, ok := d.homes[token]; ok {
		return home
	}
	d.homes[token] = shard
	return shard
}

func (d *directory) Release(token uint64) { delete(d.homes, token) }

// shards are two machines with one directory, and a client that knows both.
func shards(t *testing.T, cfg Config) (d *directory, first, second *hand) {
	d = &directory{homes: map[uint64]int{}}
	cfg.Directory = d
	first = newHand(t, Options{ReceiveMax: maxAmount}, cfg)
	cfg.Shard = 1
	second = newHand(t, Options{ReceiveMax: maxAmount}, cfg)
	return d, first, second
}

func TestPacketOfAConnectionAtHomeElsewhereIsHandedOn(t *testing.T) {
	for name, blind := range map[string]bool{"known when it is looked up": false, "known when it is claimed": true} {
		d, home, other := shards(t, Config{})
		if a := home.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); !a.fulfilled {
			t.Fatalf("%s: %+v", name, a)
		}
		d.blind = blind
		other.give(home.prepare(20, frame.StreamMoney{StreamID: 1, Shares: 1}))
		if other.answers != 0 || len(other.forwards) != 1 || other.m.Stats().Connections != 0 {
			t.Fatalf("%s: %d answers, handed on %+v", name, other.answers, other.forwards)
		}
		f := other.forwards[0]
		if f.shard != 0 {
			t.Fatalf("%s: handed to shard %d", name, f.shard)
		}
		if a := home.give(f.entry); !a.fulfilled || home.info().Received != 30 {
			t.Fatalf("%s: at home: %+v, received %d", name, a, home.info().Received)
		}
	}
}

func TestClientsTokenIsClaimedForAnswersToIt(t *testing.T) {
	d, h, other := shards(t, Config{})
	if _, err := h.m.Connect(h.now, ConnectConfig{Link: h.link, Destination: []byte("test.peer.x")}); err != nil {
		t.Fatal(err)
	}
	local := h.info().Local
	if len(d.homes) != 1 {
		t.Fatalf("%d tokens are claimed", len(d.homes))
	}
	other.give(Entry{Kind: Prepare, Link: other.link, Request: 1, Packet: prepare(string(local), 0, [32]byte{}, h.now+second, make([]byte, 40))})
	if len(other.forwards) != 1 || other.forwards[0].shard != 0 {
		t.Fatalf("%+v", other.forwards)
	}
}

func TestRefusedNewcomerIsNobodysConnection(t *testing.T) {
	d, h, other := shards(t, Config{MaxConnections: 1})
	h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1})
	h.newClient(2)
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); a.code != ilp.T03 {
		t.Fatalf("%+v", a)
	}
	if len(d.homes) != 1 {
		t.Fatalf("%d tokens are claimed, there is one connection", len(d.homes))
	}
	// So that another shard, with room, may take it.
	if other.give(h.prepare(10, frame.StreamMoney{StreamID: 1, Shares: 1})); other.info().Received != 10 {
		t.Fatalf("received %d", other.info().Received)
	}
}

func TestForgottenTombstoneGivesItsTokenBack(t *testing.T) {
	d, h, _ := shards(t, Config{TombstoneTTL: 5e9})
	h.send(0, frame.ConnectionClose{})
	if a := h.send(10, frame.StreamMoney{StreamID: 1, Shares: 1}); a.code != ilp.F02 || len(d.homes) != 1 {
		t.Fatalf("while it is remembered: %+v, %d tokens", a, len(d.homes))
	}
	h.now += 6 * second
	h.m.HandleTimeout(h.now, h)
	if len(d.homes) != 0 {
		t.Fatalf("%d tokens are claimed still", len(d.homes))
	}
}
