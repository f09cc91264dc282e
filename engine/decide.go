package engine

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// Incoming is the money of one packet that waits to be accepted.
type Incoming struct {
	// Amount is the whole packet's, in our units.
	Amount stream.Amount
	// PacketID names the packet; only the two ends of its connection know it.
	PacketID [32]byte
	// ConnID names the connection as a Ledger's credits do.
	ConnID [16]byte
	// Tag is what the server put into the credentials.
	Tag string
	// StreamID is the first stream that the packet pays. Octets that came in the
	// packet can be read from its stream already.
	StreamID uint64
}

// ShouldFulfill decides about the money of one incoming packet before the sender's
// prepare is fulfilled. Nil accepts. An error declines the packet (F99), and the sender
// may try again; one that is a *RefuseError closes the packet's streams and tells the
// sender why. A panic declines. ctx ends when it is too late to accept: the packet is
// then rejected (R00), whatever the answer.
//
// It runs on a goroutine of its own for each packet, so calls run at the same time, in
// no order, also for one stream. Past 4096 of them on a shard, packets wait.
//
// Nil is no promise: a packet that was accepted is still rejected when the answer comes
// too late, when its link is lost or when its connection has closed meanwhile, and
// nobody is told here. What is credited is told by the Ledger, by Received of
// Stream.Info and Connection.Info, and by EventMoneyReceived: count money there.
type ShouldFulfill func(ctx context.Context, in Incoming) error

// RefuseError declines money for good.
type RefuseError struct {
	// Message is told to the sender.
	Message string
}

// Error is the message.
func (e *RefuseError) Error() string { return "engine: refused: " + e.Message }

// maxDeciding bounds the ShouldFulfill calls of a shard that run at once.
const maxDeciding = 4096

// decider runs a shard's ShouldFulfill calls.
type decider struct {
	slots chan struct{}
}

// decide asks about a hold, on a goroutine of its own. On the loop.
func (s *shard) decide(should ShouldFulfill, h stream.HoldHandle) {
	info, ok := s.m.HoldInfo(h)
	if !ok {
		return
	}
	in := Incoming{Amount: info.Amount, StreamID: info.StreamID}
	if secret, ok := s.m.SharedSecret(info.Conn); ok {
		in.PacketID = stream.PacketID(secret[:], info.Sequence)
	}
	if c, ok := s.m.ConnInfo(info.Conn); ok {
		in.Tag, in.ConnID = string(c.Tag), c.ID
	}
	go s.ask(should, h, in, time.Duration(info.Deadline-s.now()))
}

func (s *shard) ask(should ShouldFulfill, h stream.HoldHandle, in Incoming, left time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	select {
	case s.decider.slots <- struct{}{}:
		defer func() { <-s.decider.slots }()
	case <-ctx.Done():
		return
	case <-s.dead:
		return
	}
	err := s.judge(ctx, should, in)
	// What is too late was rejected already, and fails here with ErrDecided.
	_ = s.call(func() {
		refuse := (*RefuseError)(nil)
		switch {
		case err == nil:
			_ = s.m.Decide(s.now(), h, stream.Accept, s)
		case errors.As(err, &refuse):
			_ = s.m.Refuse(s.now(), h, refuse.Message, s)
		default:
			_ = s.m.Decide(s.now(), h, stream.Decline, s)
		}
	})
}

// errPanicked declines what a ShouldFulfill panicked about.
var errPanicked = errors.New("engine: ShouldFulfill panicked")

func (s *shard) judge(ctx context.Context, should ShouldFulfill, in Incoming) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.e.log.Error("ShouldFulfill panicked", "panic", r)
			err = errPanicked
		}
	}()
	return should(ctx, in)
}
