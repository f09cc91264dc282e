package engine

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// Packet is one ILP packet on an attached link.
type Packet struct {
	// Kind is Prepare, Fulfill, Reject, or Failure for a request of ours that the
	// link itself failed.
	Kind stream.Kind
	// ID pairs an answer with its request, and is the asking side's.
	ID uint32
	// Data is the encoded packet (IL-RFC 0027); nil for a Failure. Who is given it
	// borrows it until the call returns.
	Data []byte
}

// PacketLink carries vectors of ILP packets to a peer, by whatever means. Send is
// called on the loop and must not block; packets and their octets are borrowed
// until it returns. After an error the prepares among them count as never sent.
// What the peer sends goes to Link.Deliver.
type PacketLink interface {
	// Send hands packets to the peer, in order.
	Send(packets []Packet) error
}

// attachment is a PacketLink's side of a port.
type attachment struct {
	link PacketLink
	out  gathered
}

// attachedRoom is how many octets are gathered before a link has no room left.
const attachedRoom = 1 << 20

func (a *attachment) room() int { return attachedRoom - a.out.octets }

// delivery is what Link.Deliver was given, copied.
type delivery struct {
	to      *Link
	packets []Packet
	octets  int
}

// Attach takes anybody's own link instead of BTP. When cfg.Address is empty the
// peer is asked (peer.config, IL-RFC 0031), which it has to answer within ten seconds.
// Errors: ErrConfig, ilp.ErrAddress, ErrLinkRefused, ErrEngineClosed,
// context.DeadlineExceeded.
func (e *Engine) Attach(p PacketLink, cfg AttachConfig) (*Link, error) {
	l, err := e.attach(p, cfg)
	if err == nil {
		err = l.ask()
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return l.ready(ctx)
}

func (e *Engine) attach(out PacketLink, cfg AttachConfig) (*Link, error) {
	s, err := e.shardFor(cfg.Loop)
	if err != nil {
		return nil, err
	}
	l := &Link{e: e, s: s, out: out, configured: make(chan struct{}), cfg: stream.LinkConfig{
		Address: []byte(cfg.Address), AssetCode: []byte(cfg.AssetCode), AssetScale: cfg.AssetScale,
		Child: []byte(cfg.Child), Echo: cfg.Echo, Window: cfg.Window, Account: e.accountNumber(cfg.Account),
	}}
	if err := l.check(); err != nil {
		return nil, err
	}
	if len(cfg.Child) > 0 {
		if err := checkAddress([]byte(cfg.Child)); err != nil {
			return nil, err
		}
	}
	var failed error
	if err := s.call(func() {
		var p *port
		if p, failed = s.addPort(l.cfg); failed != nil {
			return
		}
		p.dialed, p.attached = l, &attachment{link: out}
		l.port.Store(p)
		if len(l.cfg.Address) > 0 {
			l.isConfigured(p)
		}
	}); err != nil {
		return nil, err
	}
	return l, failed
}

// ask asks an attached link's peer for our address.
func (l *Link) ask() error {
	return l.s.call(func() { l.s.askConfig(l.port.Load()) })
}

// Deliver takes packets that came from an attached link's peer, in order. They are
// copied. Any goroutine, a loop's too: it does not wait. When 64 MiB wait already
// the packets are lost, as on a network.
func (l *Link) Deliver(packets []Packet) {
	d := delivery{to: l, packets: make([]Packet, len(packets))}
	for i := range packets {
		d.packets[i] = packets[i]
		d.packets[i].Data = bytes.Clone(packets[i].Data)
		d.octets += len(packets[i].Data) + 64
	}
	l.s.inbox.pushDelivery(d)
	l.s.loop.Wake()
}

// takeDelivery hands delivered packets to the machine.
func (s *shard) takeDelivery(d *delivery) {
	p := d.to.port.Load()
	if p == nil || s.port(p.handle) != p {
		return
	}
	for packets := d.packets; len(packets) > 0; {
		n := min(len(packets), stream.MaxVector)
		entries := s.entries[:0]
		for i := range packets[:n] {
			entries = append(entries, stream.Entry{
				Kind: packets[i].Kind, Link: p.handle, Request: packets[i].ID, Packet: packets[i].Data,
			})
		}
		s.m.Handle(s.now(), entries, s)
		clear(entries)
		s.entries = entries[:0]
		s.drain()
		s.transmit(p)
		packets = packets[n:]
	}
}

// pipeEnd is one end of a Pipe.
type pipeEnd struct {
	mu sync.Mutex
	to *Link
}

func (p *pipeEnd) Send(packets []Packet) error {
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	if to == nil {
		return errors.New("engine: the other end of the pipe is not there yet")
	}
	to.Deliver(packets)
	return nil
}

func (p *pipeEnd) join(to *Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// Pipe joins two engines, or one to itself, in memory. Each side is configured as
// for Attach; a side without an address asks the other one, whose Child it is. Errors
// are those of Attach; then neither link stays.
func Pipe(a *Engine, aCfg AttachConfig, b *Engine, bCfg AttachConfig) (aLink, bLink *Link, err error) {
	aOut, bOut := new(pipeEnd), new(pipeEnd)
	if aLink, err = a.attach(aOut, aCfg); err != nil {
		return nil, nil, err
	}
	if bLink, err = b.attach(bOut, bCfg); err != nil {
		_ = aLink.Close()
		return nil, nil, err
	}
	aOut.join(bLink)
	bOut.join(aLink)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, l := range []*Link{aLink, bLink} {
		if err = l.ask(); err == nil {
			_, err = l.ready(ctx)
		}
		if err != nil {
			_ = aLink.Close()
			_ = bLink.Close()
			return nil, nil, err
		}
	}
	return aLink, bLink, nil
}

// checkAddress refuses what is no ILP address (IL-RFC 0015).
func checkAddress(address []byte) error { return ilp.CheckAddress(address) }
