// Package ilp reads and writes the three packets of the Interledger protocol,
// version 4 (IL-RFC 0027): Prepare, Fulfill and Reject.
//
// # Reading
//
// ParsePrepare, ParseFulfill and ParseReject check a packet once and return a
// view of it: a small value that points into the octets it was given. Its
// accessors cannot fail and cost a load each. A view owns no memory; it is good
// for as long as those octets are.
//
//	p, err := ilp.ParsePrepare(packet)
//	if err != nil { … answer F01 … }
//	if p.ExpiryUnixMs() <= now { … answer R00 … }
//
// A forwarder changes nothing but the amount and the expiry, which sit at fixed
// places: SetAmount and SetExpiry rewrite them where they are.
//
// # Writing
//
// There are two doors. AppendPrepare, AppendFulfill and AppendReject take whole
// fields, refuse what may not be sent, and append. PrepareLen with PutPrepare
// (and their likes) are for building a packet in place: they write everything
// around the regions whose content does not exist yet, and return those regions.
// So a STREAM packet is sealed straight into the data of its Prepare, and the
// condition, which follows from the sealed data but precedes it, is filled in
// last. They check nothing that the caller can have checked once.
//
// # What is accepted
//
// Octets behind the packet and behind its last field are ignored. Timestamps
// must be real dates of the calendar, addresses must be valid (only a Reject's
// triggeredBy may be empty), data may have at most MaxData octets (a Prepare's
// one more, which the reference library sends). Everything
// else about a Reject is tolerated, unknown codes and invalid UTF-8 included: a
// sender needs to see why its packet came back. Each way of being wrong has an
// error of its own, made once, so that returning it costs nothing.
package ilp
