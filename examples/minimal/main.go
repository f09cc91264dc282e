// Minimal receives 1000 units over BTP on 127.0.0.1:7768, in under thirty lines
// of code. README shows it.
package main

import (
	"context"
	"fmt"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	ctx := context.Background()
	eng := must(engine.New(engine.Config{}))
	ln := must(eng.ListenBTP("127.0.0.1:7768", engine.ListenConfig{Address: "test.shop",
		AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "token"}}))
	srv := must(ln.Listen(engine.ServerConfig{}))
	creds := must(srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"}))
	fmt.Printf("%s %x\n", creds.Address, creds.Secret) // for the sender
	st := must(must(srv.Accept(ctx)).AcceptStream(ctx))
	fmt.Println("received", must(st.ReceiveTotal(ctx, 1000)))
	_ = eng.Close(ctx)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
