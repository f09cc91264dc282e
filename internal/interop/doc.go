// Package interop puts Millrace opposite other implementations of STREAM, with a
// third party's ledger as witness. It has nothing but tests:
//
//	(cd internal/interop/peers && npm ci --ignore-scripts)
//	go test ./internal/interop
//
// Every case is one payment between two processes, alice who sends and bob who
// receives, over BTP links to a mini-connector (peers/js-hub.mjs) that limits,
// converts, delays, refuses, cuts links, and keeps a ledger. Alice is `millrace
// send` or a JavaScript client, bob is `millrace receive` or a JavaScript server;
// the table in cases_test.go says which pairings a case runs in. It passes when
// the figures of both ends agree with the ledger to the unit.
//
// Without Node, or before npm ci, nothing runs: go test then says "[no tests to
// run]", and with -v names what that leaves out. With MILLRACE_REQUIRE_INTEROP=1
// in the environment, as in CI, it fails instead.
//
//	go test ./internal/interop -run TestInterop/client -v    Millrace sends
//	go test ./internal/interop -args -control                JavaScript at both ends
package interop
