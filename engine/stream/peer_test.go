package stream

import (
	"encoding/binary"
	"testing"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/ilp"
)

// peer is the other end of one connection, by hand: it seals, opens and proves
// what a test makes up.
type peer struct {
	t    testing.TB
	keys *aesni.Keys
	ivs  uint64
}

func newPeer(t testing.TB, secret []byte) *peer {
	p := &peer{t: t, keys: aesni.NewKeys()}
	p.keys.DeriveEncryption(0, secret)
	p.keys.DeriveFulfillment(0, secret)
	return p
}

// seal is the envelope of a plaintext.
func (p *peer) seal(text []byte) []byte {
	p.ivs++
	op := aesni.Op{Text: text, Data: make([]byte, len(text)+aesni.Overhead)}
	binary.BigEndian.PutUint64(op.IV[:], p.ivs)
	p.keys.Seal(&op)
	return op.Data
}

// open is the STREAM packet in an envelope.
func (p *peer) open(data []byte) (frame.Packet, bool) {
	if len(data) < aesni.Overhead {
		return frame.Packet{}, false
	}
	op := aesni.Op{Data: data, Text: make([]byte, len(data)-aesni.Overhead)}
	p.keys.Open(&op)
	if !op.OK {
		return frame.Packet{}, false
	}
	packet, err := frame.Parse(op.Text)
	return packet, err == nil
}

// prove is the fulfillment of an envelope, and its condition.
func (p *peer) prove(data []byte) (fulfillment, condition [32]byte) {
	op := aesni.Op{Data: data}
	p.keys.Prove(&op)
	return op.Fulfillment, op.Condition
}

// appender is a frame that can be written.
type appender interface{ Append([]byte) []byte }

// text is the plaintext of a STREAM packet.
func streamText(t ilp.PacketType, sequence Sequence, amount Amount, frames ...appender) []byte {
	b, countAt := frame.AppendHeader(nil, t, sequence, amount)
	for _, f := range frames {
		b = f.Append(b)
	}
	frame.SetCount(b, countAt, len(frames))
	return b
}

// prepare is a whole prepare around an envelope.
func prepare(destination string, amount Amount, condition [32]byte, expires Instant, data []byte) []byte {
	return must(ilp.AppendPrepare(nil, &ilp.PrepareFields{
		Amount: amount, Expiry: ilp.MakeTimestamp(expires.unixMs()), Condition: condition, Destination: []byte(destination), Data: data,
	}))
}
