package engine_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// Bob listens; Alice dials him, and pays.
func Example() {
	ctx := context.Background()

	bob := must(engine.New(engine.Config{Loops: 1}))
	defer bob.Close(ctx)
	ln := must(bob.ListenBTP("127.0.0.1:0", engine.ListenConfig{
		Address: "test.bob", AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "token"},
	}))
	srv := must(ln.Listen(engine.ServerConfig{}))
	creds := must(srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"}))

	alice := must(engine.New(engine.Config{Loops: 1}))
	defer alice.Close(ctx)
	link := must(alice.DialBTP(ctx, "btp+ws://alice:token@"+ln.Addr().String(), engine.LinkConfig{}))
	out := must(link.Connect(ctx, creds.Address, creds.Secret, engine.ConnectConfig{}))
	st := must(out.OpenStream())
	must(st.Write([]byte("for the coffee")))
	go st.SendTotal(ctx, 100)

	in := must(srv.Accept(ctx))
	paid := must(in.AcceptStream(ctx))
	fmt.Println("received", must(paid.ReceiveTotal(ctx, 100)), "for", in.Tag())
	out.Close(ctx)
	fmt.Println(string(must(io.ReadAll(paid))))
	// Output:
	// received 100 for invoice-42
	// for the coffee
}
