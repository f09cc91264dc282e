// Package nullengine is the yardstick that every speed figure of Millrace is
// read against: the least that a message can cost on this machine, on the same
// event loops, with nothing of the protocol in it.
//
// The server is one gnet event loop on plain TCP. It reads up to 256 KiB at a
// time, looks at each request of 280 octets (about an ILP Prepare in its BTP
// message), copies its first 8 octets into an answer of 220 octets (about a
// Fulfill), and hands all answers of one wake-up to the socket in one write. It
// shares no line with the WebSocket and BTP code that it is compared with. The
// client is one thread on raw epoll, which exists on Linux only; elsewhere
// [RunClient] and [Run] answer [ErrUnsupported].
//
// Absolute times drift by half from minute to minute on shared machines. A
// figure therefore means something only beside the null engine's figure of the
// same run: report the difference of CPU per message, not a ratio of rates.
// BenchmarkNullOverEpoll keeps the yardstick itself honest: against a server
// written directly on epoll it must reach at least 0.85 of the rate.
//
// With a rate the client is an open loop instead: requests are due at instants that
// were fixed beforehand, and latencies run from there, so that a stall counts for all
// that it held up. It sends what is due whenever it is awake, at the latest [Granule]
// after it was due.
//
// This package is frozen. A change of what it does per message, however small,
// makes every figure published before it incomparable. A faster yardstick is a
// new package. What an open loop and latencies need stands beside the closed loop and
// touches it only where they were asked for.
package nullengine
