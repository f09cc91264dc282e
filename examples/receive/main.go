// Receive waits for one payment of 1000 units on 127.0.0.1:7768, prints what came
// with it, and ends. It prints the credentials that the send example wants.
//
//	go run ./examples/receive
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer eng.Close(ctx)
	ln, err := eng.ListenBTP("127.0.0.1:7768", engine.ListenConfig{
		Address: "test.shop", AssetCode: "XRP", AssetScale: 9,
		Tokens: map[string]string{"alice": "token"},
	})
	if err != nil {
		return err
	}
	srv, err := ln.Listen(engine.ServerConfig{})
	if err != nil {
		return err
	}
	creds, err := srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"})
	if err != nil {
		return err
	}
	fmt.Println("go run ./examples/send", creds.Address, base64.StdEncoding.EncodeToString(creds.Secret[:]))

	conn, err := srv.Accept(ctx)
	if err != nil {
		return err
	}
	st, err := conn.AcceptStream(ctx)
	if err != nil {
		return err
	}
	received, err := st.ReceiveTotal(ctx, 1000)
	fmt.Printf("%s: received %d\n", conn.Tag(), received)
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, st)
	return err
}
