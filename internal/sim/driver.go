package sim

import (
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// driver is a machine's exported API, with a tape that can play every call
// again into another machine (law V1).
type driver struct {
	m    *stream.Machine
	n    *node
	tape *tape
}

func (d *driver) Handle(now stream.Instant, in []stream.Entry, out stream.Output) {
	d.m.Handle(now, in, out)
	if d.tape != nil {
		d.tape.handled(now, in, d.n)
	}
}

func (d *driver) Transmit(now stream.Instant, h stream.LinkHandle, out stream.Output) int {
	from := len(d.n.out)
	k := d.m.Transmit(now, h, out)
	d.record(from, func(m *stream.Machine, out stream.Output) { m.Transmit(now, h, out) })
	return k
}

func (d *driver) HandleTimeout(now stream.Instant, out stream.Output) {
	from := len(d.n.out)
	d.m.HandleTimeout(now, out)
	d.record(from, func(m *stream.Machine, out stream.Output) { m.HandleTimeout(now, out) })
}

func (d *driver) Committed(now stream.Instant, upTo stream.CommitSeq, out stream.Output) {
	from := len(d.n.out)
	d.m.Committed(now, upTo, out)
	d.record(from, func(m *stream.Machine, out stream.Output) { m.Committed(now, upTo, out) })
}

func (d *driver) Decide(now stream.Instant, h stream.HoldHandle, x stream.Decision, out stream.Output) error {
	from := len(d.n.out)
	err := d.m.Decide(now, h, x, out)
	d.record(from, func(m *stream.Machine, out stream.Output) { _ = m.Decide(now, h, x, out) })
	return err
}

func (d *driver) Refuse(now stream.Instant, h stream.HoldHandle, out stream.Output) error {
	from := len(d.n.out)
	err := d.m.Refuse(now, h, "no, thank you", out)
	d.record(from, func(m *stream.Machine, out stream.Output) { _ = m.Refuse(now, h, "no, thank you", out) })
	return err
}

func (d *driver) AskConfig(now stream.Instant, h stream.LinkHandle, out stream.Output) error {
	from := len(d.n.out)
	err := d.m.AskConfig(now, h, out)
	d.record(from, func(m *stream.Machine, out stream.Output) { _ = m.AskConfig(now, h, out) })
	return err
}

func (d *driver) LinkLost(now stream.Instant, h stream.LinkHandle) {
	d.m.LinkLost(now, h)
	d.quiet(func(m *stream.Machine) { m.LinkLost(now, h) })
}

func (d *driver) LinkUp(now stream.Instant, h stream.LinkHandle) {
	d.m.LinkUp(now, h)
	d.quiet(func(m *stream.Machine) { m.LinkUp(now, h) })
}

func (d *driver) Staged() []stream.Credit {
	c := d.m.Staged()
	if d.tape != nil {
		d.tape.staged(c)
	}
	return c
}

func (d *driver) PollEvent() (stream.Event, bool) {
	e, ok := d.m.PollEvent()
	if d.tape != nil {
		d.tape.event(e, ok)
	}
	return e, ok
}

func (d *driver) PollReady() (stream.LinkHandle, bool) {
	h, ok := d.m.PollReady()
	d.quiet(func(m *stream.Machine) { m.PollReady() })
	return h, ok
}

func (d *driver) Connect(now stream.Instant, cfg stream.ConnectConfig) (stream.ConnHandle, error) {
	h, err := d.m.Connect(now, cfg)
	d.opens(uint64(h), err, func(m *stream.Machine) (uint64, error) {
		h, err := m.Connect(now, cfg)
		return uint64(h), err
	})
	return h, err
}

func (d *driver) OpenStream(now stream.Instant, h stream.ConnHandle) (stream.StreamHandle, error) {
	s, err := d.m.OpenStream(now, h)
	d.opens(uint64(s), err, func(m *stream.Machine) (uint64, error) {
		s, err := m.OpenStream(now, h)
		return uint64(s), err
	})
	return s, err
}

func (d *driver) SetSendMax(now stream.Instant, h stream.StreamHandle, limit stream.Amount) error {
	err := d.m.SetSendMax(now, h, limit)
	d.quiet(func(m *stream.Machine) { _ = m.SetSendMax(now, h, limit) })
	return err
}

func (d *driver) SetDeliverMax(now stream.Instant, h stream.StreamHandle, limit stream.Amount) error {
	err := d.m.SetDeliverMax(now, h, limit)
	d.quiet(func(m *stream.Machine) { _ = m.SetDeliverMax(now, h, limit) })
	return err
}

func (d *driver) SetReceiveMax(now stream.Instant, h stream.StreamHandle, limit stream.Amount) error {
	err := d.m.SetReceiveMax(now, h, limit)
	d.quiet(func(m *stream.Machine) { _ = m.SetReceiveMax(now, h, limit) })
	return err
}

func (d *driver) Write(now stream.Instant, h stream.StreamHandle, p []byte) (int, error) {
	k, err := d.m.Write(now, h, p)
	if d.tape != nil {
		c := append([]byte(nil), p...)
		d.quiet(func(m *stream.Machine) { _, _ = m.Write(now, h, c) })
	}
	return k, err
}

func (d *driver) Read(now stream.Instant, h stream.StreamHandle, p []byte) (int, error) {
	k, err := d.m.Read(now, h, p)
	size := len(p)
	d.quiet(func(m *stream.Machine) { _, _ = m.Read(now, h, make([]byte, size)) })
	return k, err
}

func (d *driver) CloseStream(now stream.Instant, h stream.StreamHandle) error {
	err := d.m.CloseStream(now, h)
	d.quiet(func(m *stream.Machine) { _ = m.CloseStream(now, h) })
	return err
}

func (d *driver) DestroyStream(now stream.Instant, h stream.StreamHandle) error {
	err := d.m.DestroyStream(now, h, frame.ApplicationError, "enough")
	d.quiet(func(m *stream.Machine) { _ = m.DestroyStream(now, h, frame.ApplicationError, "enough") })
	return err
}

func (d *driver) CloseConn(now stream.Instant, h stream.ConnHandle) error {
	err := d.m.CloseConn(now, h)
	d.quiet(func(m *stream.Machine) { _ = m.CloseConn(now, h) })
	return err
}

func (d *driver) DestroyConn(now stream.Instant, h stream.ConnHandle) error {
	err := d.m.DestroyConn(now, h, frame.ApplicationError, "enough")
	d.quiet(func(m *stream.Machine) { _ = m.DestroyConn(now, h, frame.ApplicationError, "enough") })
	return err
}

func (d *driver) CloseServer(now stream.Instant, id stream.ServerID) {
	d.m.CloseServer(now, id)
	d.quiet(func(m *stream.Machine) { m.CloseServer(now, id) })
}

func (d *driver) ReleaseConn(h stream.ConnHandle) {
	d.m.ReleaseConn(h)
	d.quiet(func(m *stream.Machine) { m.ReleaseConn(h) })
}

func (d *driver) ReleaseStream(h stream.StreamHandle) {
	d.m.ReleaseStream(h)
	d.quiet(func(m *stream.Machine) { m.ReleaseStream(h) })
}

// record notes a call that may have sent packets: those of node.out from an
// index on.
func (d *driver) record(from int, again func(*stream.Machine, stream.Output)) {
	if d.tape != nil {
		d.tape.call(d.n.room, d.n.out[from:], again)
	}
}

// quiet notes a call that sends nothing.
func (d *driver) quiet(again func(*stream.Machine)) {
	if d.tape != nil {
		d.tape.call(0, nil, func(m *stream.Machine, _ stream.Output) { again(m) })
	}
}

// opens notes a call that has answered with a handle.
func (d *driver) opens(h uint64, err error, again func(*stream.Machine) (uint64, error)) {
	if d.tape != nil {
		d.tape.opened(h, err, again)
	}
}
