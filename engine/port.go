package engine

import (
	"bytes"

	"github.com/millrace-ilp/millrace/engine/stream"
	"github.com/millrace-ilp/millrace/transport"
)

// port is what carries one link of the machine. It outlives the sockets that it
// has one after another.
type port struct {
	handle   stream.LinkHandle
	link     *transport.Link // the socket that is up, or nil
	attached *attachment     // anybody's own link
	proxy    *proxyKey       // a link of another shard
	dialed   *Link           // told of configuration; nil for accounts and proxies
	account  *account        // of a Listener
	downs    uint64          // how often it was lost
	config   stream.LinkConfig
}

// addPort adds a link to the machine and the port that carries it.
func (s *shard) addPort(cfg stream.LinkConfig) (*port, error) {
	h, err := s.m.AddLink(cfg)
	if err != nil {
		return nil, err
	}
	p := &port{handle: h, config: cfg}
	for int(uint32(h)) >= len(s.ports) {
		s.ports = append(s.ports, nil)
	}
	s.ports[uint32(h)] = p
	return p, nil
}

// removePort forgets a link for good. Its connections close.
func (s *shard) removePort(p *port) {
	if s.port(p.handle) != p {
		return
	}
	s.m.RemoveLink(s.now(), p.handle)
	s.drain()
	s.ports[uint32(p.handle)] = nil
	if p.link != nil {
		p.link.Close(ErrLinkClosed)
	}
	if p.proxy == nil && len(s.e.shards) > 1 {
		for i := range s.e.shards {
			if i != s.index {
				s.cross(i, crossing{kind: crossGone, key: proxyKey{s.index, p.handle}})
			}
		}
	}
}

// port is the port of a link of the machine, or nil.
func (s *shard) port(h stream.LinkHandle) *port {
	if i := uint32(h); int(i) < len(s.ports) {
		if p := s.ports[i]; p != nil && p.handle == h {
			return p
		}
	}
	return nil
}

// portOf is the port that a socket carries, or nil.
func (s *shard) portOf(l *transport.Link) *port {
	if s.stopped || l.Tag == 0 {
		return nil
	}
	p := s.ports[l.Tag]
	if p == nil || p.link != l {
		return nil
	}
	return p
}

// LinkUp takes an authenticated socket.
func (s *shard) LinkUp(l *transport.Link) {
	if s.stopped {
		l.Close(ErrEngineClosed)
		return
	}
	defer s.guard()
	switch {
	case l.Server():
		s.accountUp(l, l.Account().(*account))
	default:
		s.dialedUp(l, l.Context().(*Link))
	}
}

// carry makes a socket carry a port.
func (s *shard) carry(p *port, l *transport.Link) {
	p.link = l
	l.Tag = uint64(uint32(p.handle))
	s.e.log.Info("link up", "peer", l.RemoteAddr(), "dialed", !l.Server())
	s.m.LinkUp(s.now(), p.handle)
	s.askConfig(p)
	s.settle(p)
}

// askConfig asks the peer for our address if nobody has told it.
func (s *shard) askConfig(p *port) {
	if info, ok := s.m.LinkInfo(p.handle); !ok || len(info.Address) > 0 || p.dialed == nil {
		return
	}
	if err := s.m.AskConfig(s.now(), p.handle, s); err != nil {
		p.dialed.refused(err)
	}
}

// LinkDown takes note that a socket is gone: requests that it never sent fail,
// the others are unknown from now on.
func (s *shard) LinkDown(l *transport.Link, unsent []uint32, reason error) {
	s.e.log.Info("link down", "peer", l.RemoteAddr(), "dialed", !l.Server(), "reason", reason)
	p := s.portOf(l)
	if p == nil {
		return
	}
	defer s.guard()
	p.link = nil
	p.downs++
	entries := s.entries[:0]
	for _, id := range unsent {
		entries = append(entries, stream.Entry{Kind: stream.Failure, Link: p.handle, Request: id})
	}
	s.m.Handle(s.now(), entries, s)
	clear(entries[:cap(entries)]) // octets of the link's last vectors
	s.entries = entries[:0]
	s.m.LinkLost(s.now(), p.handle)
	s.settle(nil)
	if p.account != nil {
		s.e.removeLater(s, p)
	}
}

// Room is how many octets of packets a link can take.
func (s *shard) Room(h stream.LinkHandle) int {
	p := s.port(h)
	switch {
	case p == nil:
		return 0
	case p.link != nil:
		return p.link.Room()
	case p.attached != nil:
		return p.attached.room()
	case p.proxy != nil:
		return maxForwards
	}
	return 0
}

// Reply reserves an answer in a link's output.
func (s *shard) Reply(h stream.LinkHandle, request uint32, n int) []byte {
	p := s.port(h)
	switch {
	case p == nil:
		return nil
	case p.link != nil:
		return p.link.Reply(request, n)
	case p.attached != nil || p.proxy != nil:
		return s.gather(p).reserve(false, request, n)
	}
	return nil
}

// Request reserves a prepare in a link's output.
func (s *shard) Request(h stream.LinkHandle, request uint32, n int) []byte {
	p := s.port(h)
	switch {
	case p == nil:
		return nil
	case p.link != nil:
		return p.link.Request(request, n)
	case p.attached != nil && p.proxy == nil:
		return s.gather(p).reserve(true, request, n)
	}
	return nil
}

// gather is the output of a port that has no socket.
func (s *shard) gather(p *port) *gathered {
	a := p.attached
	if !a.out.waits {
		a.out.waits = true
		s.pending = append(s.pending, p)
	}
	return &a.out
}

// flush hands over what was gathered.
func (s *shard) flush() {
	for i := 0; i < len(s.pending); i++ {
		p := s.pending[i]
		out := &p.attached.out
		out.waits = false
		packets := out.seal()
		if p.proxy != nil {
			for k := range packets {
				s.cross(p.proxy.shard, crossing{
					kind: crossReply, key: proxyKey{s.index, p.proxy.link}, request: packets[k].ID,
					packet: bytes.Clone(packets[k].Data),
				})
			}
		} else if err := p.attached.link.Send(packets); err != nil {
			s.failed(p, packets)
		}
		out.reset()
	}
	clear(s.pending)
	s.pending = s.pending[:0]
}

// failed takes note that an attached link refused packets: requests of ours
// among them failed.
func (s *shard) failed(p *port, packets []Packet) {
	entries := s.entries[:0]
	for i := range packets {
		if packets[i].Kind == stream.Prepare {
			entries = append(entries, stream.Entry{Kind: stream.Failure, Link: p.handle, Request: packets[i].ID})
		}
	}
	s.m.Handle(s.now(), entries, s)
	s.entries = entries[:0]
	s.drain()
}

// gathered is packets in memory that do not move until they are handed over.
type gathered struct {
	packets []Packet
	chunk   []byte // what is left of the newest chunk
	first   []byte // the first chunk, kept from call to call
	octets  int
	waits   bool // in shard.pending
}

const chunkOctets = 64 << 10

func (g *gathered) reserve(request bool, id uint32, n int) []byte {
	if len(g.chunk) < n {
		if g.first == nil && n <= chunkOctets {
			g.first = make([]byte, chunkOctets)
			g.chunk = g.first
		} else {
			g.chunk = make([]byte, max(n, chunkOctets))
		}
	}
	b := g.chunk[:n:n]
	g.chunk = g.chunk[n:]
	kind := stream.Failure // an answer: seal says which
	if request {
		kind = stream.Prepare
	}
	g.octets += n
	g.packets = append(g.packets, Packet{Kind: kind, ID: id, Data: b})
	return b
}

// seal completes the packets, which are filled now.
func (g *gathered) seal() []Packet {
	for i := range g.packets {
		if p := &g.packets[i]; p.Kind == stream.Failure {
			p.Kind = answerKind(p.Data)
		}
	}
	return g.packets
}

func (g *gathered) reset() {
	clear(g.packets)
	g.packets, g.chunk, g.octets = g.packets[:0], g.first, 0
}
