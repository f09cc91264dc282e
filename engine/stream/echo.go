package stream

import (
	"bytes"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/echo"
	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/pool/slab"
)

// An echo request is a prepare to our own address; it goes back over its link to
// the source that it names, and what that is answered with answers the request.
// The money of both is the same and on the same link: what we pay for the one we
// are paid for the other, as the one that we send expires a second earlier.

const (
	// echoMargin is how much earlier, in milliseconds.
	echoMargin = 1000
	// maxEchoes bounds those of a link that wait for their answer.
	maxEchoes = 64
)

// isEcho says whether a link answers a prepare as an echo request.
func (l *link) isEcho(p ilp.Prepare) bool {
	return l.echo && bytes.Equal(p.Destination(), l.address) && echo.IsRequest(p.Data())
}

// answerEcho sends an echo request on to its source.
func (m *Machine) answerEcho(e *Entry, p ilp.Prepare, out Output) {
	l := m.linkOf(e.Link)
	source, err := echo.ParseRequestData(p.Data())
	if err != nil {
		m.reject(e, ilp.F01, out)
		return
	}
	// No further ahead than we wait for answers ourselves.
	expires := min(p.ExpiryUnixMs()-echoMargin, m.now.unixMs()+maxWaitMs)
	if expires <= m.now.unixMs() {
		m.reject(e, ilp.R02, out)
		return
	}
	size := ilp.PrepareLen(len(source), echo.ResponseLen)
	switch {
	case l.echoes.packets >= maxEchoes || out.Room(e.Link) < size+replyOverhead:
		m.reject(e, ilp.T03, out)
		return
	case p.Amount() > l.echoes.room(l.windowMoney):
		m.reject(e, ilp.T04, out)
		return
	}
	i, s, ok := m.newSlot()
	if !ok {
		m.reject(e, ilp.T03, out)
		return
	}
	region := out.Request(e.Link, m.requestID(m.slots.Handle(i)), size)
	if region == nil {
		s.answered = true
		m.freeSlot(i, s)
		m.reject(e, ilp.T00, out)
		return
	}
	condition, data := ilp.PutPrepare(region, p.Amount(), m.expiry.at(expires), source, echo.ResponseLen)
	copy(condition, p.Condition())
	echo.AppendResponseData(data[:0])
	s.link, s.flags, s.sentAt, s.expiresMs = slab.Handle(e.Link).Index(), slotPeer|slotEcho, m.now, expires
	s.amount, s.octets, s.sequence = p.Amount(), uint32(echo.ResponseLen), Sequence(e.Request)
	copy(s.expect[:], p.Condition())
	m.track(l, i, s)
	m.slotTimers.Within(i, int64(m.deadlineOf(s)))
}

// echoAnswered passes on what answers an echo. A fulfill that proves nothing is
// not worth more than a reject.
func (m *Machine) echoAnswered(i uint32, s *slot, e *Entry, out Output) {
	request, answer := uint32(s.sequence), e.Packet
	code := ilp.T00
	m.scratch.roomOf = 0 // what is written here takes some
	switch e.Kind {
	case Fulfill:
		f, err := ilp.ParseFulfill(e.Packet)
		if err == nil {
			sum := aesni.Sum256(f.Fulfillment())
			if aesni.Equal(sum[:], s.expect[:]) {
				break
			}
		}
		answer, code = nil, ilp.F05
	case Reject:
		if _, err := ilp.ParseReject(e.Packet); err != nil {
			answer = nil
		}
	default:
		answer = nil
	}
	m.endEcho(i, s)
	if answer == nil {
		m.rejectTo(e.Link, request, code, out)
		return
	}
	if region := out.Reply(e.Link, request, len(answer)); region != nil {
		copy(region, answer)
	}
}

// echoExpired answers an echo request that has come back from nobody.
func (m *Machine) echoExpired(i uint32, s *slot, out Output) {
	h, request := LinkHandle(m.links.Handle(s.link)), uint32(s.sequence)
	m.endEcho(i, s)
	m.rejectTo(h, request, ilp.R00, out)
}

func (m *Machine) endEcho(i uint32, s *slot) {
	m.retire(i, s)
}
