package stream

import (
	"errors"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/codec/receipt"
)

// Receipts prove to a third party, the verifier, how much a stream has received
// (IL-RFC 0039). The verifier chooses nonce and secret; they reach the server in
// the address token, and the receipts reach the client in fulfills.

// ErrReceipt means that a receipt was not made with the secret.
var ErrReceipt = errors.New("stream: the receipt does not verify")

// maxReceiptStream is the highest stream id that a receipt can name.
const maxReceiptStream = 255

// AppendReceipt appends a receipt: 58 octets that say that a stream has received
// total in all, in the receiver's units, signed with the verifier's secret.
func AppendReceipt(dst []byte, nonce *[16]byte, secret *[32]byte, streamID uint8, total Amount) []byte {
	from := len(dst)
	dst = receipt.AppendUnsigned(dst, nonce, streamID, total)
	var mac [32]byte
	aesni.HMAC(&mac, secret[:], dst[from:])
	return append(dst, mac[:]...)
}

// VerifyReceipt decodes a receipt that was made with the secret. The error is
// ErrReceipt when it was not, else one of codec/receipt's. Whether the nonce is
// known and the total has risen is the verifier's to check.
func VerifyReceipt(b []byte, secret *[32]byte) (receipt.Receipt, error) {
	r, err := receipt.Parse(b)
	if err != nil {
		return r, err
	}
	var mac [32]byte
	aesni.HMAC(&mac, secret[:], b[:receipt.SignedLen])
	if !aesni.Equal(mac[:], r.MAC[:]) {
		return receipt.Receipt{}, ErrReceipt
	}
	return r, nil
}

// receiptKeys are what a connection's receipts are made with.
type receiptKeys struct {
	nonce  [16]byte
	secret [32]byte
}

// appendReceipt appends the receipt of a stream that a packet paid.
func (m *Machine) appendReceipt(b []byte, n int, i uint32, s *streamRec) ([]byte, int) {
	if s.id > maxReceiptStream {
		return b, n
	}
	k := m.coldOf(m.conns.At(i)).receipts
	m.scratch.receipt = AppendReceipt(m.scratch.receipt[:0], &k.nonce, &k.secret, uint8(s.id), s.received+m.plant.tentative(m.coldStreamOf(s).heldIn))
	return frame.StreamReceipt{StreamID: uint64(s.id), Receipt: m.scratch.receipt}.Append(b), n + 1
}

// takeReceipt keeps the receipt with the highest total: replies may overtake
// each other.
func (m *Machine) takeReceipt(s *streamRec, b []byte) {
	r, err := receipt.Parse(b)
	if err != nil || uint32(r.StreamID) != s.id {
		return
	}
	cold := m.ownColdStream(s)
	if cold.receipt == 0 {
		i, _, ok := m.receipts.Alloc()
		invariant(ok, "more receipts than streams")
		cold.receipt = i
	} else if old, _ := receipt.Parse(m.receipts.At(cold.receipt)[:]); old.TotalReceived >= r.TotalReceived {
		return
	}
	copy(m.receipts.At(cold.receipt)[:], b)
}
