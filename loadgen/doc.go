// Loadgen drives STREAM connections over real BTP sockets for a while, counts
// full round trips, checks the money at both ends, and prints a verdict.
//
//	go run ./loadgen                                  10 s of the default profile
//	go run ./loadgen -processes 2 -json result.json   sender and receiver apart
//	go run ./loadgen -null                            the yardstick alone
//
// A round trip is a prepare with a fresh IV, a real condition, an amount of at
// least one unit and one StreamMoney frame, answered by an encrypted reply that
// was opened and applied; nothing is sealed in advance. After the measured time
// no new packet leaves, and once nothing is in flight the sender's verified
// fulfillments and the receiver's released credits, each counted at its own
// end, must be the same to the unit.
//
// The exit status is 0 when they are, 1 when they are not or the run failed,
// and 2 for wrong usage.
package main
