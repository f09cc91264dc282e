package stream

import (
	"encoding/base64"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/oer"
)

const (
	maxTag       = 512
	tokenNonce   = 18
	maxTokenText = tokenNonce + 3 + 2 + maxTag + 16 + 32
	maxToken     = maxTokenText + aesni.Overhead
)

var tokenEncoding = base64.RawURLEncoding.Strict()

// TokenScheme makes the address tokens of one server secret and reads them. There
// are three: Tokens, PlainTokens and ReceiverTokens. All derive the shared secret
// from the token, so nothing is stored; only server and issuer must agree. They
// are safe for concurrent use.
type TokenScheme interface {
	// Issue makes a token segment for an address, and its shared secret. random
	// is 30 octets from a secure source, never used twice.
	Issue(random *[30]byte, o CredentialOptions) (segment string, secret [32]byte, err error)
	// open reads a segment, authenticating it where the scheme can, before
	// anything is derived from it. The slices of the result are in the scratch
	// or the segment.
	open(segment []byte, s *tokenScratch) (opened, bool)
}

// Tokens makes and reads the address tokens of one server secret, in the form
// of the reference library since 2.5: AES-256-GCM under the secret itself over
// nonce, tag, receipt nonce and receipt secret; the shared secret is
// HMAC(HMAC(server secret, "ilp_stream_shared_secret"), token). A server that
// is given the secret of a JavaScript one takes over its credentials. Nothing
// is stored. Tokens is safe for concurrent use.
type Tokens struct {
	box       *aesni.Box
	generator *aesni.MAC
}

// NewTokens makes the token scheme of a server secret of 32 octets.
func NewTokens(serverSecret []byte) (*Tokens, error) {
	if len(serverSecret) != 32 {
		return nil, ErrServerSecret
	}
	box, err := aesni.NewBox(serverSecret)
	if err != nil {
		return nil, err
	}
	return &Tokens{box: box, generator: secretGenerator(serverSecret)}, nil
}

// secretGenerator is the key under which tokens become shared secrets.
func secretGenerator(serverSecret []byte) *aesni.MAC {
	var key [32]byte
	aesni.HMAC(&key, serverSecret, []byte(aesni.LabelSharedSecret))
	defer clear(key[:])
	return aesni.NewMAC(key[:])
}

// check says whether options can go into a token at all.
func (o *CredentialOptions) check() error {
	if len(o.Tag) > maxTag || !isASCII(o.Tag) {
		return ErrTag
	}
	if n, s := len(o.ReceiptNonce), len(o.ReceiptSecret); (n != 0 || s != 0) && (n != 16 || s != 32) {
		return ErrReceiptParams
	}
	return nil
}

// Issue implements TokenScheme: 18 random octets are the nonce and 12 the IV.
func (t *Tokens) Issue(random *[30]byte, o CredentialOptions) (segment string, secret [32]byte, err error) {
	if err := o.check(); err != nil {
		return "", secret, err
	}
	// Plaintext, token and segment stand in one piece of memory.
	n := tokenNonce + 3 + 2 + len(o.Tag) + len(o.ReceiptNonce) + len(o.ReceiptSecret)
	sealed := n + aesni.Overhead
	b := make([]byte, n+sealed+tokenEncoding.EncodedLen(sealed))
	text := append(b[:0:n], random[:tokenNonce]...)
	text = oer.AppendVarOctets(text, []byte(o.Tag))
	text = oer.AppendVarOctets(text, o.ReceiptNonce)
	text = oer.AppendVarOctets(text, o.ReceiptSecret)
	token := t.box.Seal(b[n:n:n+sealed], (*[12]byte)(random[tokenNonce:]), text)
	t.generator.Sum(&secret, token)
	return string(tokenEncoding.AppendEncode(b[n+sealed:n+sealed], token)), secret, nil
}

// opened is what a token says.
type opened struct {
	secret        [32]byte
	tag           []byte
	receiptNonce  []byte
	receiptSecret []byte
}

// tokenScratch is the memory that open works in.
type tokenScratch struct {
	token [maxToken]byte
	text  [maxTokenText]byte
}

// open implements TokenScheme. The spelling is strict: one token has one spelling.
func (t *Tokens) open(segment []byte, s *tokenScratch) (o opened, ok bool) {
	n := tokenEncoding.DecodedLen(len(segment))
	if n < tokenNonce+3+aesni.Overhead || n > maxToken {
		return o, false
	}
	n, err := tokenEncoding.Decode(s.token[:], segment)
	if err != nil {
		return o, false
	}
	text, ok := t.box.Open(s.text[:0], s.token[:n])
	if !ok || len(text) < tokenNonce {
		return o, false
	}
	off := tokenNonce
	if o.tag, off, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	if o.receiptNonce, off, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	if o.receiptSecret, _, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	t.generator.Sum(&o.secret, s.token[:n])
	return o, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7e || s[i] < 0x20 {
			return false
		}
	}
	return true
}
