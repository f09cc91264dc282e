package engine

import (
	"bytes"
	"sync"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// A connection lives on one shard. A packet of it that arrives at another crosses
// over, and its answer crosses back. The home shard answers on a proxy: a link of
// its machine that stands for the one that the packet came in on.

// proxyKey names a link of another shard.
type proxyKey struct {
	shard int
	link  stream.LinkHandle
}

type crossKind uint8

const (
	crossPrepare crossKind = iota // a prepare, for the home of its connection
	crossReply                    // its answer
	crossGone                     // the link is no more
)

// crossing is one message from shard to shard. It owns its octets.
type crossing struct {
	kind    crossKind
	key     proxyKey // where it came from; for a reply, the link it goes to
	request uint32
	packet  []byte
	config  stream.LinkConfig // of the link
}

// Forward hands an entry to the shard that is the home of its connection.
func (s *shard) Forward(to int, e stream.Entry) {
	p := s.port(e.Link)
	if p == nil {
		return
	}
	x := crossing{
		kind: crossPrepare, key: proxyKey{s.index, e.Link}, request: e.Request,
		packet: bytes.Clone(e.Packet), config: p.config,
	}
	if info, ok := s.m.LinkInfo(e.Link); ok {
		x.config.Address = bytes.Clone(info.Address)
	}
	if p.proxy == nil && s.cross(to, x) {
		return
	}
	// The way is full: the sender tries again.
	address := x.config.Address
	if region := s.Reply(e.Link, e.Request, ilp.RejectLen(len(address), 0, 0)); region != nil {
		ilp.PutReject(region, ilp.T03, address, nil, 0)
	}
}

func (s *shard) cross(to int, x crossing) bool {
	if to < 0 || to >= len(s.e.shards) {
		return false
	}
	t := s.e.shards[to]
	if !t.inbox.pushCrossing(x) {
		return false
	}
	t.loop.Wake()
	return true
}

// takeCrossing works on what another shard has sent.
func (s *shard) takeCrossing(x *crossing) {
	switch x.kind {
	case crossReply:
		if region := s.Reply(x.key.link, x.request, len(x.packet)); region != nil {
			copy(region, x.packet)
		}
	case crossGone:
		if h, ok := s.proxies[x.key]; ok {
			delete(s.proxies, x.key)
			if p := s.port(h); p != nil {
				s.removePort(p)
			}
		}
	case crossPrepare:
		h, ok := s.proxies[x.key]
		if !ok {
			x.config.Proxy = true
			p, err := s.addPort(x.config)
			if err != nil {
				return
			}
			key := x.key
			p.proxy, p.attached = &key, &attachment{}
			h = p.handle
			s.proxies[key] = h
		}
		entry := [1]stream.Entry{{Kind: stream.Prepare, Link: h, Request: x.request, Packet: x.packet}}
		s.m.Handle(s.now(), entry[:], s)
	}
}

// directory is the stream.Directory of an engine: a map in pieces, each with a
// lock of its own.
type directory struct {
	pieces [64]struct {
		mu    sync.Mutex
		homes map[uint64]int
	}
}

func newDirectory() *directory {
	d := new(directory)
	for i := range d.pieces {
		d.pieces[i].homes = make(map[uint64]int)
	}
	return d
}

// Home is the shard that has claimed the token, if any.
func (d *directory) Home(token uint64) (int, bool) {
	p := &d.pieces[token%64]
	p.mu.Lock()
	defer p.mu.Unlock()
	home, ok := p.homes[token]
	return home, ok
}

// Claim makes shard the token's home unless there is one.
func (d *directory) Claim(token uint64, shard int) int {
	p := &d.pieces[token%64]
	p.mu.Lock()
	defer p.mu.Unlock()
	if home, ok := p.homes[token]; ok {
		return home
	}
	p.homes[token] = shard
	return shard
}

// Release forgets the token.
func (d *directory) Release(token uint64) {
	p := &d.pieces[token%64]
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.homes, token)
}
