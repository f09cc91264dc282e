// Package btp reads and writes the packets of the Bilateral Transfer Protocol,
// version 2 (IL-RFC 0023), one of which travels in each WebSocket message of a
// link:
//
//	type (1 octet) · request id (4) · length · contents
//
// Message and Transfer are requests; exactly one Response or Error with the same
// request id answers each. All of them carry a list of named sub-protocols. The
// one named "ilp" holds an ILP packet, and nearly every packet of a busy link
// carries that one alone. So there are two doors:
//
//   - ParseILP and PutILP are for that case. PutILP writes what goes around an
//     ILP packet and returns the region for it, to be built in place.
//
//   - Parse takes any packet, checks it completely and returns a view of it;
//     AppendMessage and its likes write any packet.
//
//     t, id, packet, ok := btp.ParseILP(message)
//     if !ok {
//     p, err := btp.Parse(message)
//     …
//     }
//
// Everything returned points into the octets it was parsed from. Nothing is
// allocated, whatever counts and lengths a peer declares.
package btp
