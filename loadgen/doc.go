// Loadgen drives STREAM connections over real BTP sockets for a while, counts
// full round trips, checks the money at both ends, and prints a verdict.
//
//	go run ./loadgen                                  10 s of the default traffic
//	go run ./loadgen -processes 2 -json result.json   sender and receiver apart
//	go run ./loadgen -rate 100000                     latencies of an open loop
//	go run ./loadgen -size 1000000 -probe             what a connection costs
//	go run ./loadgen -delay 50ms -size 1 -links 1     a long path
//	go run ./loadgen -data 1GiB -size 1 -links 1      octets instead of money
//	go run ./loadgen -profile cpu.pprof               CPU time by stage
//	go run ./loadgen -null                            the yardstick alone
//
// A round trip is a prepare with a fresh IV, a real condition, an amount of at
// least one unit and one StreamMoney frame, answered by an encrypted reply that
// was opened and applied; nothing is sealed in advance. After the measured time
// no new packet leaves, and once nothing is in flight the sender's verified
// fulfillments and the receiver's released credits, each counted at its own
// end, must be the same to the unit.
//
// A closed loop, the rule, sends as soon as the window lets it, over the
// connections in random order: what it tells is the rate and the CPU time. An open
// loop (-rate) sends at instants that were fixed beforehand, whatever became of the
// packets before, and measures from there: what it tells is the latency under a
// given load. The report and the JSON object say which of the two a latency is of.
//
// The exit status is 0 when the money agrees or the data is intact, 1 when it is not
// or the run failed, and 2 for wrong usage.
package main
