// Monetize pays a page for the time that somebody looks at it, as Web Monetization
// does: 2000 units a second, at whatever rate there is (slippage 1), over one stream whose
// send maximum rises as time passes. Its packets expire in the far future, for the
// clock of somebody's device may be wrong. When the connection dies, what it has sent is
// carried over to the next one, with new credentials. It ends by itself, in ten seconds.
//
//	go run ./examples/wallet       in another terminal, is paid
//	go run ./examples/monetize
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func main() {
	page := flag.String("page", "http://127.0.0.1:7780/alice", "whom to pay: a URL, or a payment pointer")
	btp := flag.String("btp", "btp+ws://payer:token@127.0.0.1:7768", "the link to pay over")
	life := flag.Duration("for", 10*time.Second, "how long to look")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *life)
	defer cancel()

	eng := must(engine.New(engine.Config{Loops: 1}))
	link := must(eng.DialBTP(ctx, *btp, engine.LinkConfig{})) // when it is lost it comes back by itself
	// What was sent so far, and what may have arrived (ConnInfo.Held, Unknown included):
	// that counts as spent.
	var sent, doubt stream.Amount
	for began := time.Now(); ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		more, unknown, err := pay(ctx, link, *page, func() stream.Amount {
			return stream.Amount(time.Since(began).Milliseconds())*2 - sent - doubt
		})
		sent, doubt = sent+more, doubt+unknown
		fmt.Printf("sent %d, in doubt %d: %v\n", sent, doubt, err)
	}
	must(0, eng.Close(context.Background()))
}

// pay pays over one connection, until that dies or ctx ends.
func pay(ctx context.Context, link *engine.Link, page string, budget func() stream.Amount) (sent, doubt stream.Amount, err error) {
	d, err := spsp.Query(ctx, nil, page)
	if err != nil {
		return 0, 0, err
	}
	conn, err := link.Connect(ctx, d.Address, d.Secret, engine.ConnectConfig{Options: stream.Options{SlippagePPM: 1_000_000, Expiry: stream.FarFuture}})
	if err != nil {
		return 0, 0, err
	}
	st, err := conn.OpenStream()
	if err != nil {
		return 0, 0, err
	}
	for {
		_ = st.SetSendMax(budget()) // fails when the stream is over, which the next line tells
		select {
		case <-st.Done():
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
			continue
		}
		last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		conn.Close(last) // what is in flight arrives, if it can
		return conn.Info().Sent, conn.Info().Held, st.Err()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
