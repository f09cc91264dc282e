package stream

import (
	"bytes"
	"errors"

	"github.com/millrace-ilp/millrace/codec/ildcp"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// ErrGone is returned for a handle whose record is no more.
var ErrGone = errors.New("stream: no such link, connection or stream")

// LinkConfig describes a link to a machine.
type LinkConfig struct {
	// Address is our ILP address on this link; empty while the parent has not
	// told it (Machine.AskConfig).
	Address []byte
	// AssetCode and AssetScale are the units of the link's amounts: 1 is
	// 10^-AssetScale of the asset (IL-RFC 0031).
	AssetCode  []byte
	AssetScale uint8
	// Account names who is at the other end. Packets of a connection are only
	// taken from the account that opened it.
	Account uint32
	// Server answers for addresses below Address, or 0.
	Server ServerID
	// Proxy marks a link that stands for one of another machine: it takes answers
	// and no requests.
	Proxy bool
	// Child is what we answer to peer.config when we are the parent: the other
	// end's address. Empty refuses.
	Child []byte
	// Echo answers echo requests to Address (package echo): up to 64 at a time, of
	// WindowAmount together.
	Echo bool
	// Window bounds the prepares in flight on the link, WindowOctets their octets
	// and WindowAmount their money. Zero means no limit of octets and money, and of
	// prepares as many as the path holds without queues: at least 1024, at most 65,536.
	Window       int
	WindowOctets int
	WindowAmount Amount
}

// link is one account link; it outlives the sockets that carry it.
type link struct {
	up           bool
	proxy        bool
	echo         bool
	starved      bool // in Machine.starved
	marked       bool // in Machine.readyLinks
	sizesItself  bool // sizer chooses window
	crowded      bool // full for a connection that waits, until one in flight is answered
	account      uint32
	server       uint32
	window       uint32
	windowOctets uint64
	windowMoney  Amount
	flight       load
	echoes       load   // not in flight: strangers' packets do not fill our windows
	first        uint32 // in flight, oldest first
	last         uint32
	sizer        window
	config       uint32 // request id of a pending peer.config
	ready        *slab.Ring
	address      []byte
	former       []byte // the address before, which peers may still use
	child        []byte
	asset        []byte
	scale        uint8
	forgedUntil  Instant // see Machine.floods
}

// AddLink adds a link that is up.
func (m *Machine) AddLink(cfg LinkConfig) (LinkHandle, error) {
	if len(cfg.Address) > 0 {
		if err := ilp.CheckAddress(cfg.Address); err != nil {
			return 0, err
		}
	}
	i, l, ok := m.links.Alloc()
	if !ok {
		return 0, errors.New("stream: too many links")
	}
	*l = link{
		up: true, proxy: cfg.Proxy, echo: cfg.Echo, account: cfg.Account, server: uint32(cfg.Server), window: uint32(max(cfg.Window, 0)),
		windowOctets: uint64(noLimit(cfg.WindowOctets, noOctets)), windowMoney: noLimit(cfg.WindowAmount, maxAmount),
		ready:   slab.NewRing(m.cfg.MaxConnections + 1),
		address: bytes.Clone(cfg.Address), child: bytes.Clone(cfg.Child), asset: bytes.Clone(cfg.AssetCode), scale: cfg.AssetScale,
	}
	if cfg.Window <= 0 {
		l.sizeItself()
	}
	return LinkHandle(m.links.Handle(i)), nil
}

// SetServer makes a server answer on the link.
func (m *Machine) SetServer(h LinkHandle, s ServerID) error {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok {
		return ErrGone
	}
	l.server = uint32(s)
	return nil
}

// LinkInfo is our address on a link and its asset. The slices are the
// machine's own.
type LinkInfo struct {
	Address    []byte // empty while the parent has not told it
	AssetCode  []byte
	AssetScale uint8 // an amount of 1 is 10^-AssetScale of the asset
	Up         bool  // it has a socket
	InFlight   int   // our prepares that are not answered
}

// LinkInfo describes a link.
func (m *Machine) LinkInfo(h LinkHandle) (LinkInfo, bool) {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok {
		return LinkInfo{}, false
	}
	return LinkInfo{l.address, l.asset, l.scale, l.up, int(l.flight.packets)}, true
}

// LinkLost tells that the link's socket is gone. What was written becomes
// unknown: its amounts stay held until expiry and margin and are never spent
// before; data and control frames go out again when the link is back.
func (m *Machine) LinkLost(now Instant, h LinkHandle) {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok || !l.up {
		return
	}
	m.now = now
	l.up = false
	for i := l.first; i != 0; {
		s := m.slots.At(i)
		next := s.next
		m.becomeUnknown(i, s)
		i = next
	}
	l.first, l.last, l.flight, l.echoes, l.crowded = 0, 0, load{}, load{}, false
	m.buryDead()
}

// LinkUp tells that a lost link has a socket again.
func (m *Machine) LinkUp(now Instant, h LinkHandle) {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok || l.up {
		return
	}
	m.now = now
	l.up = true
	index := slab.Handle(h).Index()
	m.linkReady(index, l)
	for i, c := range m.walk(false, func(b belongs) bool { return b.link == index }) { // what is folded has nothing to send
		m.wakeConn(i, c)
	}
}

// RemoveLink forgets a link for good. Its connections close.
func (m *Machine) RemoveLink(now Instant, h LinkHandle) {
	if _, ok := m.links.Get(slab.Handle(h)); !ok {
		return
	}
	m.LinkLost(now, h)
	m.now = now
	index := slab.Handle(h).Index()
	for i := range m.walk(true, func(b belongs) bool { return b.link == index }) {
		m.endConn(i, 0, nil, false)
	}
	m.buryDead()
	m.links.Free(index)
}

// LinkIdle reports whether the link has connections that wait to send: false
// means Transmit has nothing to do.
func (m *Machine) LinkIdle(h LinkHandle) bool {
	l, ok := m.links.Get(slab.Handle(h))
	return !ok || !l.up || l.ready.Len() == 0 || l.full()
}

// track adds a slot to its link's list; untrack takes it out.
func (m *Machine) track(l *link, i uint32, s *slot) {
	s.prev, s.next = l.last, 0
	if l.last != 0 {
		m.slots.At(l.last).next = i
	} else {
		l.first = i
	}
	l.last = i
	l.loadOf(s).add(s)
}

// loadOf is what a slot counts for.
func (l *link) loadOf(s *slot) *load {
	if s.flags.has(slotEcho) {
		return &l.echoes
	}
	return &l.flight
}

func (m *Machine) untrack(l *link, s *slot) {
	if s.prev != 0 {
		m.slots.At(s.prev).next = s.next
	} else {
		l.first = s.next
	}
	if s.next != 0 {
		m.slots.At(s.next).prev = s.prev
	} else {
		l.last = s.prev
	}
	l.loadOf(s).remove(s)
	l.crowded = false
}

// AskConfig sends peer.config over the link (ILDCP, IL-RFC 0031);
// EventLinkConfigured or EventLinkRefused follows.
func (m *Machine) AskConfig(now Instant, h LinkHandle, out Output) error {
	l, ok := m.links.Get(slab.Handle(h))
	if !ok || !l.up {
		return ErrGone
	}
	m.now = now
	i, s, ok := m.newSlot()
	if !ok {
		return errors.New("stream: too many requests in flight")
	}
	expires := now.unixMs() + 60_000
	m.asking++
	request := ildcp.AppendRequest(nil, m.expiry.at(expires))
	s.link, s.flags, s.sentAt, s.expiresMs = slab.Handle(h).Index(), slotPeer|slotCanFulfil, now, expires
	m.track(l, i, s)
	m.slotTimers.Within(i, int64(m.deadlineOf(s)))
	id := m.requestID(m.slots.Handle(i))
	region := out.Request(h, id, len(request))
	if region == nil {
		m.untrack(l, s)
		s.answered = true
		m.freeSlot(i, s)
		return ErrGone
	}
	copy(region, request)
	l.config = id
	return nil
}

// configures says whether a packet may tell a link's address.
func (m *Machine) configures(e *Entry) bool {
	if e.Kind != Fulfill {
		return false
	}
	_, s := m.slotOf(e.Request)
	return s != nil && s.flags.has(slotPeer)
}

// configured takes the answer to peer.config.
func (m *Machine) configured(h LinkHandle, e *Entry) {
	l := m.linkOf(h)
	var cfg ildcp.Config
	err := ErrGone
	if e.Kind == Fulfill {
		cfg, err = ildcp.ParseResponse(e.Packet)
	}
	if err != nil {
		m.events.push(Event{Kind: EventLinkRefused, Link: h})
		return
	}
	m.setAddress(slab.Handle(h).Index(), l, cfg.Address)
	l.asset, l.scale = bytes.Clone(cfg.AssetCode), cfg.AssetScale
	m.events.push(Event{Kind: EventLinkConfigured, Link: h})
}
