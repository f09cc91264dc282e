// Minimal receives 1000 units over BTP on 127.0.0.1:7768, in under thirty lines
// of code. README shows it.
package main

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	ctx := context.Background()
	eng := must(engine.New(engine.Config{}))
	srv := must(must(eng.ListenBTP("127.0.0.1:7768", engine.ListenConfig{Address: "test.shop", AssetCode: "XRP",
		AssetScale: 9, Tokens: map[string]string{"alice": "token"}})).Listen(engine.ServerConfig{}))
	creds := must(srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"}))
	fmt.Println(creds.Address, base64.StdEncoding.EncodeToString(creds.Secret[:])) // for the sender
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
