// Send pays 1000 units, and a few words, to the credentials that the receive
// example, or minimal, prints.
//
//	go run ./examples/send ADDRESS SECRET
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/millrace-ilp/millrace/engine"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: send ADDRESS SECRET")
	}
	secret, err := base64.StdEncoding.DecodeString(args[1])
	if err != nil || len(secret) != 32 {
		return errors.New("the secret is 32 octets in base64")
	}
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer eng.Close(ctx)
	link, err := eng.DialBTP(ctx, "btp+ws://alice:token@127.0.0.1:7768", engine.LinkConfig{})
	if err != nil {
		return err
	}
	conn, err := link.Connect(ctx, args[0], [32]byte(secret), engine.ConnectConfig{})
	if err != nil {
		return err
	}
	st, err := conn.OpenStream()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(st, "thank you"); err != nil {
		return err
	}
	sent, err := st.SendTotal(ctx, 1000)
	fmt.Println("sent", sent)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
