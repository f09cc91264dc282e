package spsp_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// pair is a wallet's server and a payer's link to it, in memory.
func pair(ctx context.Context) (srv *engine.Server, payer *engine.Link, closeAll func()) {
	e := must(engine.New(engine.Config{Loops: 1, StdNet: true}))
	here, there, err := engine.Pipe(e, engine.AttachConfig{Address: "test.wallet", AssetCode: "EUR", AssetScale: 9, Child: "test.wallet.payer"}, e, engine.AttachConfig{})
	if err != nil {
		log.Fatal(err)
	}
	srv = must(here.Listen(engine.ServerConfig{Options: stream.Options{ReceiveMax: 1 << 40}}))
	return srv, there, func() { _ = e.Close(ctx) }
}

// A wallet answers at a URL; a payer asks there, and pays.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	srv, link, closeAll := pair(ctx)
	defer closeAll()
	web := httptest.NewServer(&spsp.Handler{Server: srv, Receiver: func(r *http.Request) (stream.CredentialOptions, error) {
		if r.URL.Path != "/alice" {
			return stream.CredentialOptions{}, spsp.ErrNoReceiver
		}
		return stream.CredentialOptions{Tag: "alice"}, nil
	}})
	defer web.Close()

	_, err := spsp.Query(ctx, nil, web.URL+"/bob")
	fmt.Println(err)
	d := must(spsp.Query(ctx, nil, web.URL+"/alice")) // $wallet.example/alice, elsewhere
	conn := must(link.Connect(ctx, d.Address, d.Secret, engine.ConnectConfig{}))
	st := must(conn.OpenStream())
	fmt.Println("sent", must(st.SendTotal(ctx, 100)), "to", must(srv.Accept(ctx)).Tag())
	// Output:
	// spsp: the endpoint answered 404: "InvalidReceiverError" "no such receiver"
	// sent 100 to alice
}

// What a receipt verifier passes on comes back as a receipt that it can verify.
func TestReceiptsOfAVerifiersQuery(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	srv, link, closeAll := pair(ctx)
	defer closeAll()
	wallet := httptest.NewServer(&spsp.Handler{Server: srv})
	defer wallet.Close()
	nonce, secret := []byte(strings.Repeat("n", 16)), [32]byte([]byte(strings.Repeat("s", 32)))
	verifier := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Receipt-Nonce", base64.StdEncoding.EncodeToString(nonce))
		r.Header.Set("Receipt-Secret", base64.StdEncoding.EncodeToString(secret[:]))
		return http.DefaultTransport.RoundTrip(r)
	})}
	d, err := spsp.Query(ctx, verifier, wallet.URL)
	if err != nil || !d.ReceiptsEnabled {
		t.Fatalf("%+v, %v", d, err)
	}
	st := must(must(link.Connect(ctx, d.Address, d.Secret, engine.ConnectConfig{})).OpenStream())
	if _, err := st.SendTotal(ctx, 77); err != nil {
		t.Fatal(err)
	}
	r, err := stream.VerifyReceipt(st.Receipt(), &secret)
	if err != nil || r.TotalReceived != 77 || string(r.Nonce[:]) != string(nonce) {
		t.Errorf("%x: %v", st.Receipt(), err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
