package engine

import (
	"fmt"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// Ledger makes incoming money durable before its sender's prepare is fulfilled: a
// fulfill leaves, and the money is told to anybody, only after Commit. So nothing is
// ever paid that the ledger does not have; but a crash after Commit may come before the
// fulfill has left, or before the Void of one that was too late. The ledger is then
// ahead of what was paid, by what was in flight: after a crash, compare its last
// credits with the balance that the peer keeps.
type Ledger interface {
	// Commit returns once every credit is durable, in order. A credit with Void
	// takes back an earlier one of the same connection and sequence, whose fulfill
	// came too late to leave. An error stops the shard: nothing more is released,
	// and Engine.Err tells it, for what has become of the batch is not known.
	//
	// Commit is called by one goroutine for each shard, with one batch after the
	// other; while it works, the next batch gathers. Shards do not wait for each
	// other: with more than one (Config.Loops), calls run at the same time. credits
	// is borrowed. No call begins or goes on after Engine.Close has returned.
	Commit(shard int, credits []stream.Credit) error
}

// committer hands a shard's staged credits to the ledger, a batch at a time.
type committer struct {
	ledger  Ledger
	batch   []stream.Credit // gathers
	working []stream.Credit // with the ledger; nil when there is none
	batches chan []stream.Credit
}

// stage takes what the machine has staged, and hands it over if the ledger is
// free. On the loop.
func (s *shard) stage() {
	c := &s.committer
	if c.ledger == nil {
		return
	}
	c.batch = append(c.batch, s.m.Staged()...)
	if len(c.batch) == 0 || c.working != nil {
		return
	}
	c.working, c.batch = c.batch, nil
	c.batches <- c.working // has room: only one is out
}

// commitAll is the committer's goroutine.
func (s *shard) commitAll() {
	for {
		select {
		case batch := <-s.committer.batches:
			err := s.commit(batch)
			if s.call(func() { s.committed(batch, err) }) != nil {
				return
			}
		case <-s.dead:
			return
		}
	}
}

// commit calls the ledger. A panic of it is an error: what became of the batch
// nobody knows.
func (s *shard) commit(batch []stream.Credit) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return s.committer.ledger.Commit(s.index, batch)
}

// committed releases a batch that is durable. On the loop.
func (s *shard) committed(batch []stream.Credit, err error) {
	if err != nil {
		s.stop(fmt.Errorf("engine: ledger: shard %d: %w", s.index, err))
		return
	}
	c := &s.committer
	s.m.Committed(s.now(), batch[len(batch)-1].Seq, s)
	c.working = nil
	if c.batch == nil {
		c.batch = batch[:0]
	}
	s.stage()
}
