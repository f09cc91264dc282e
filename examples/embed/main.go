// Embed runs two engines in one process, joined in memory: no socket is opened.
//
//	go run ./examples/embed
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	shop, err := engine.New(engine.Config{Loops: 1, StdNet: true})
	if err != nil {
		return err
	}
	defer shop.Close(ctx)
	customer, err := engine.New(engine.Config{Loops: 1, StdNet: true})
	if err != nil {
		return err
	}
	defer customer.Close(ctx)
	here, there, err := engine.Pipe(
		shop, engine.AttachConfig{Address: "test.shop", AssetCode: "EUR", AssetScale: 2, Child: "test.shop.customer"},
		customer, engine.AttachConfig{})
	if err != nil {
		return err
	}
	srv, err := here.Listen(engine.ServerConfig{Options: stream.Options{ReceiveMax: 1_000_000}})
	if err != nil {
		return err
	}
	creds, err := srv.Credentials(stream.CredentialOptions{Tag: "invoice-42"})
	if err != nil {
		return err
	}
	out, err := there.Connect(ctx, creds.Address, creds.Secret, engine.ConnectConfig{})
	if err != nil {
		return err
	}
	st, err := out.OpenStream()
	if err != nil {
		return err
	}
	sent, err := st.SendTotal(ctx, 1_000_000)
	if err != nil {
		return err
	}
	in, err := srv.Accept(ctx)
	if err != nil {
		return err
	}
	if err := out.Close(ctx); err != nil {
		return err
	}
	<-in.Done()
	fmt.Printf("%s sent %d, %s received %d for %s\n", there.Address(), sent, here.Address(), in.Info().Received, in.Tag())
	return nil
}
