// Package engine moves money and data over Interledger STREAM (IL-RFC 0029): it
// joins the protocol machine of package stream to links, which are BTP over
// WebSocket (IL-RFC 0023), or anybody's own, and runs them on event loops.
//
// # From nothing to a payment
//
// One side listens, and issues credentials: an address and a secret.
//
//	eng, err := engine.New(engine.Config{})
//	ln, err := eng.ListenBTP("127.0.0.1:7768", engine.ListenConfig{
//		Address: "test.bob", AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "token"},
//	})
//	srv, err := ln.Listen(engine.ServerConfig{})
//	creds, err := srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"})
//	conn, err := srv.Accept(ctx)
//	st, err := conn.AcceptStream(ctx)
//	received, err := st.ReceiveTotal(ctx, 100)
//
// The other side, which was told the credentials, connects and pays.
//
//	eng, err := engine.New(engine.Config{})
//	link, err := eng.DialBTP(ctx, "btp+ws://alice:token@127.0.0.1:7768", engine.LinkConfig{})
//	conn, err := link.Connect(ctx, creds.Address, creds.Secret, engine.ConnectConfig{})
//	st, err := conn.OpenStream()
//	sent, err := st.SendTotal(ctx, 100)
//	err = conn.Close(ctx)
//
// Either end of a connection may open streams, and every stream carries money and
// octets both ways: a [Stream] is an io.ReadWriteCloser. Who has dialed the link does
// not matter either: a [Link] can listen too, with [Link.Listen].
//
// # Two doors
//
// The blocking door, above, is for people: calls with a context, on any goroutine
// but a loop's. Each call crosses to the loop and back.
//
// The door on the loop is for speed: a [Handler] is told, on the loop, of all that
// happened in one wake-up, and calls the machine directly; [Link.ConnectOnLoop] opens
// connections, and ServerConfig.Handler takes them. No Go object is made for a
// connection, and nothing is allocated for a packet.
//
// # Links
//
// A link outlives its sockets. When one is lost, requests that were never sent
// fail at once; those that may have reached the peer are unknown, and their money
// stays held until it is known or can no longer be claimed: it is never spent
// twice. A dialed link reconnects by itself, and its connections go on. A listener
// keeps the link of an account that is away for 90 seconds.
//
// A peer that has two sockets open has two links: what this side sends on a connection
// goes over the link that the connection came in on.
//
// # Shards
//
// Each event loop is a shard with a machine of its own. All links of an account
// live on one. A connection lives on the shard where its first authentic packet
// arrived; packets of it that arrive elsewhere cross over, so that a packet that
// comes in twice is credited once.
//
// A broken invariant of a machine stops its shard: its links close, nothing more is
// released, calls fail with [ErrEngineClosed], and [Engine.Err] says why.
package engine
