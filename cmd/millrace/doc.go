// Millrace receives and sends money and data over STREAM (IL-RFC 0029) from the
// command line.
//
//	millrace receive --btp-url btp+ws://bob:token@127.0.0.1:7768
//	millrace send    --btp-url btp+ws://alice:token@127.0.0.1:7768 --dest ADDRESS --secret BASE64 --send 5000
//	millrace receive --btp-listen 7768        be the BTP server of a single peer, without a connector
//
// It talks to a person on a terminal. With --json, or when standard output is
// not a terminal, it prints one JSON object a line: receive prints ready,
// connection, stream, money, data and close; send prints connected, money and,
// last, result. Amounts are decimal strings.
//
// The exit status is 0 when done, 1 when something failed, 2 for wrong usage.
package main
