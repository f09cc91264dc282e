// Package spsp tells payers where to send money: the Simple Payment Setup
// Protocol (IL-RFC 0009), version 4, which sets up STREAM, and payment pointers
// (IL-RFC 0026).
//
// A receiver puts a [Handler] behind the URL of its payment pointer. Every query gets
// credentials of its own, an ILP address and a shared secret, and nothing is
// stored for it.
//
//	srv, err := ln.Listen(engine.ServerConfig{})
//	http.Handle("/alice", &spsp.Handler{Server: srv})
//	err = http.ListenAndServeTLS(":443", "cert.pem", "key.pem", nil)
//
// A sender asks with [Query], and connects.
//
//	d, err := spsp.Query(ctx, nil, "$wallet.example/alice")
//	conn, err := link.Connect(ctx, d.Address, d.Secret, engine.ConnectConfig{})
//
// The shared secret travels in the answer: whoever reads it can read the payment,
// and whoever writes it gets the money. Hence https, and no way around it but on the own
// machine's loopback.
//
// # Receipts
//
// A verifier of receipts (IL-RFC 0039) stands between the two: it passes the
// sender's query on with the headers Receipt-Nonce and Receipt-Secret. The Handler seals
// both into the address token, answers with "receipts_enabled": true, and the
// connection that comes of it signs a receipt for each packet with money.
package spsp
