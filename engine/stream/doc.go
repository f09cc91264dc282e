// Package stream is the STREAM protocol (IL-RFC 0029) as a pure state machine:
// no I/O, no clock, no goroutine, no lock, no global. It is handed the time,
// octets and random octets, and asked what to send, what must be made durable,
// what happened, and when to wake it.
//
// # The contract
//
// One [Machine] serves one shard: every link, connection and stream of it, on
// one goroutine. The owner calls
//
//   - [Machine.Handle] with the ILP packets of one read, in order of arrival;
//   - [Machine.Transmit] for a link that can take more;
//   - [Machine.HandleTimeout] at [Machine.NextTimeout];
//   - [Machine.LinkLost] and [Machine.LinkUp] as sockets come and go;
//   - [Machine.PollEvent] until it is empty, after each of the above.
//
// Packets leave through an [Output], which reserves room in a link's buffer and
// is filled in place before the call returns. Memory given to a call is borrowed
// until the call returns and never kept.
//
// # Vectors
//
// Handle works in stages over up to [MaxVector] packets: look up, open, prove,
// decide, seal. Only decide changes state, and it runs packet by packet in order
// of arrival, so any partition of the same input into vectors gives the same
// replies, credits and state (the law V1, held by a test).
//
// # Money
//
// An incoming credit goes accept, decide, stage, commit, release; a fulfill
// leaves only at release. With neither [Config].Decide nor [Config].Ledger the
// whole chain runs inline. Otherwise the packet is held: [Machine.Decide] is the
// embedder's answer, [Machine.Staged] and [Machine.Committed] are the ledger's
// door. Limits count what is released and what is held, and expiry is checked
// at arrival and again at release.
//
// An outgoing amount is held from the moment its prepare is written until a
// matching fulfillment arrives (sent) or a reject does (free again). When the
// link is lost in between, or nobody answers until its expiry and a margin, it
// is unknown: still held, and not spent again before the receiver's own total
// tells that it never arrived.
package stream
