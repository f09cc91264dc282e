// Wallet receives money for one person, Alice. Whoever wants to pay her asks at a URL,
// by SPSP, and gets credentials of his own. (To the world the URL would be https, and
// spelled as a payment pointer: $wallet.example/alice.) A stream takes up to 100,000
// units, and 1 % more if its last packet brings them, and the wallet a million, to the
// unit: what is over is refused before it is paid. What it takes is in a file, on the
// disk, before the payer is told that it has arrived (journal.go), so that a crash loses
// nothing that was paid; it may leave lines of packets that were not fulfilled any more
// (engine.Ledger). It ends by itself, after a minute.
//
//	go run ./examples/wallet
//	go run ./examples/monetize     in another terminal, pays it
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	btp := flag.String("btp", "127.0.0.1:7768", "where money comes in")
	web := flag.String("spsp", "127.0.0.1:7780", "where payers ask")
	file := flag.String("journal", "wallet.journal", "the file of credits")
	life := flag.Duration("for", time.Minute, "how long to run")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *life)
	defer cancel()

	j := must(openJournal(*file))
	eng := must(engine.New(engine.Config{Loops: 1, Ledger: j})) // one loop: more would call the journal at the same time
	ln := must(eng.ListenBTP(*btp, engine.ListenConfig{
		Address: "test.wallet", AssetCode: "USD", AssetScale: 9, Tokens: map[string]string{"payer": "token"},
	}))
	j.room.Store(max(0, 1_000_000-j.balance.Load()))
	srv := must(ln.Listen(engine.ServerConfig{
		Options: stream.Options{ReceiveMax: 100_000},
		// Asked about each packet, off the loop: it may take its time, with a database.
		// A yes that comes too late for the journal to hear of the packet keeps its room
		// until the next start: the limit holds, and only the journal says what is paid.
		ShouldFulfill: func(_ context.Context, in engine.Incoming) error {
			if !j.take(in.Amount) {
				return &engine.RefuseError{Message: "the wallet is full"} // for good; another error lets the payer try again
			}
			return nil
		},
	}))
	tcp := must(net.Listen("tcp", *web))
	go http.Serve(tcp, &spsp.Handler{Server: srv, Receiver: func(r *http.Request) (stream.CredentialOptions, error) {
		if r.URL.Path != "/alice" {
			return stream.CredentialOptions{}, spsp.ErrNoReceiver
		}
		return stream.CredentialOptions{Tag: "alice"}, nil // comes back with the connection
	}})
	fmt.Printf("has %d; pay http://%s/alice over btp+ws://payer:token@%s\n", j.balance.Load(), tcp.Addr(), ln.Addr())

	for conn, err := srv.Accept(ctx); err == nil; conn, err = srv.Accept(ctx) {
		go func() { <-conn.Done(); fmt.Println(conn.Tag(), "received", conn.Info().Received) }()
	}
	must(0, eng.Close(context.Background())) // what is in flight arrives first
	must(0, eng.Err())                       // why the engine stopped before, if the journal failed
	fmt.Println("has", j.balance.Load())
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
