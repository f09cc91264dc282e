package main

import (
	crand "crypto/rand"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// issuer makes the credentials of the receiver's server at the sender, which was
// told the server's secret: a million of them never exist at once, at neither end.
type issuer struct {
	prefix string // of addresses, with the dot
	tokens *stream.Tokens
	random *rand.ChaCha8
	batch  []issued       // of the connections that are opened next
	cpu    *time.Duration // that issuing took
}

type issued struct {
	address string
	secret  [32]byte
}

// issueAtOnce is how many credentials are made between two looks at the clock.
const issueAtOnce = 256

func newIssuer(to ready, cpu *time.Duration) (*issuer, error) {
	tokens, err := stream.NewTokens(to.Secret)
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails
	return &issuer{prefix: to.Address + ".", tokens: tokens, random: rand.NewChaCha8(seed), batch: make([]issued, 0, issueAtOnce), cpu: cpu}, nil
}

// each is the credentials of connection i of n. It is asked for one after the other,
// on one thread.
func (is *issuer) each(i, n int) (address string, secret [32]byte) {
	k := i % issueAtOnce
	if k == 0 {
		is.issue(min(issueAtOnce, n-i))
	}
	return is.batch[k].address, is.batch[k].secret
}

func (is *issuer) issue(n int) {
	runtime.LockOSThread() // whose clock is read
	defer runtime.UnlockOSThread()
	began := threadCPU()
	is.batch = is.batch[:0]
	for range n {
		var random [30]byte
		_, _ = is.random.Read(random[:]) // never fails
		token, secret, err := is.tokens.Issue(&random, stream.CredentialOptions{})
		if err != nil {
			token = "" // no options, no error; the address would be refused
		}
		is.batch = append(is.batch, issued{is.prefix + token, secret})
	}
	*is.cpu += threadCPU() - began
}
