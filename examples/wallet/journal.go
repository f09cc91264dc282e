package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// journal is an engine.Ledger in a file, one line of JSON a credit.
type journal struct {
	f       *os.File
	balance atomic.Int64 // the sum of the amounts
	room    atomic.Int64 // what may still be accepted
}

// take takes room for an amount, or none if there is not enough.
func (j *journal) take(amount stream.Amount) bool {
	for {
		room := j.room.Load()
		if amount > stream.Amount(room) {
			return false
		}
		if j.room.CompareAndSwap(room, room-int64(amount)) {
			return true
		}
	}
}

// credit is a line. Connection and sequence name a packet for good.
type credit struct {
	Connection string          `json:"connection"`
	Stream     uint64          `json:"stream"`
	Sequence   stream.Sequence `json:"sequence"`
	Amount     int64           `json:"amount"` // below zero: taken back
}

// openJournal reads a journal, or begins one. A last line that a crash has cut short
// goes: the packet that it is about was never fulfilled. Whole lines count, though the
// crash may have come before the last of them were fulfilled: a real wallet compares
// them with the balance that its peer keeps.
func openJournal(name string) (*journal, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j, lines := &journal{f: f}, json.NewDecoder(f)
	for {
		var c credit
		if err = lines.Decode(&c); err != nil {
			break
		}
		j.balance.Add(c.Amount)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err // no crash does that: a person must look at it
	}
	if err := f.Truncate(lines.InputOffset()); err != nil {
		return nil, err
	}
	_, err = f.WriteAt([]byte("\n"), lines.InputOffset())
	if err == nil {
		_, err = f.Seek(0, io.SeekEnd)
	}
	return j, err
}

// Commit returns when the credits are on the disk; then, not before, their fulfills
// leave. It is called with one batch after the other: while the disk works, the next
// one gathers. After an error the engine stops.
func (j *journal) Commit(_ int, credits []stream.Credit) error {
	var text bytes.Buffer
	sum, back, lines := int64(0), int64(0), json.NewEncoder(&text)
	for _, c := range credits {
		amount := int64(c.Amount)
		if c.Void { // it became too late to fulfill it: the payer keeps the money
			amount = -amount
			back += int64(c.Amount)
		}
		sum += amount
		if err := lines.Encode(credit{hex.EncodeToString(c.ConnID[:]), c.StreamID, c.Sequence, amount}); err != nil {
			return err
		}
	}
	if _, err := j.f.Write(text.Bytes()); err != nil {
		return err
	}
	j.balance.Add(sum)
	if err := j.f.Sync(); err != nil {
		return err
	}
	j.room.Add(back)
	return nil
}
