package stream

import (
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// schemes are the three forms of tokens, under one secret.
func schemes(t *testing.T) map[string]TokenScheme {
	t.Helper()
	tokens, err := NewTokens(testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := NewPlainTokens(testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := NewReceiverTokens(testSecret[:])
	if err != nil {
		t.Fatal(err)
	}
	return map[string]TokenScheme{"current": tokens, "plain": plain, "receiver": receiver}
}

func TestServerSecretHas32Octets(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := NewTokens(make([]byte, n)); err != ErrServerSecret {
			t.Errorf("Tokens of %d octets: %v", n, err)
		}
		if _, err := NewPlainTokens(make([]byte, n)); err != ErrServerSecret {
			t.Errorf("PlainTokens of %d octets: %v", n, err)
		}
		if _, err := NewReceiverTokens(make([]byte, n)); err != ErrServerSecret {
			t.Errorf("ReceiverTokens of %d octets: %v", n, err)
		}
	}
}

func TestCredentialsThatFitNoTokenAreRefused(t *testing.T) {
	nonce, secret := make([]byte, 16), make([]byte, 32)
	for name, c := range map[string]struct {
		o    CredentialOptions
		want error
	}{
		"long tag":            {CredentialOptions{Tag: strings.Repeat("x", maxTag+1)}, ErrTag},
		"tag beyond ASCII":    {CredentialOptions{Tag: "é"}, ErrTag},
		"tag with a control":  {CredentialOptions{Tag: "a\n"}, ErrTag},
		"nonce alone":         {CredentialOptions{ReceiptNonce: nonce}, ErrReceiptParams},
		"secret alone":        {CredentialOptions{ReceiptSecret: secret}, ErrReceiptParams},
		"nonce of 15 octets":  {CredentialOptions{ReceiptNonce: nonce[:15], ReceiptSecret: secret}, ErrReceiptParams},
		"secret of 31 octets": {CredentialOptions{ReceiptNonce: nonce, ReceiptSecret: secret[:31]}, ErrReceiptParams},
	} {
		for scheme, tokens := range schemes(t) {
			if segment, _, err := tokens.Issue(new([30]byte), c.o); err != c.want || segment != "" {
				t.Errorf("%s, %s: %q, %v", name, scheme, segment, err)
			}
		}
	}
}

func TestEverySchemeOpensItsOwnTokensAndNoSpoiltOne(t *testing.T) {
	var scratch tokenScratch
	for name, tokens := range schemes(t) {
		segment, secret, err := tokens.Issue(&[30]byte{1, 2, 3}, CredentialOptions{Tag: "invoice-7"})
		if err != nil {
			t.Fatal(err)
		}
		o, ok := tokens.open([]byte(segment), &scratch)
		if !ok || o.secret != secret || string(o.tag) != "invoice-7" || len(o.receiptNonce)+len(o.receiptSecret) != 0 {
			t.Errorf("%s: %v %+v", name, ok, o)
		}
		for n := range len(segment) {
			spoilt := []byte(segment)
			spoilt[n] = '*'
			o, ok := tokens.open(spoilt, &scratch)
			if ok && (name != "plain" || n <= plainLen || o.secret == secret) {
				t.Errorf("%s: a token spoilt at %d is opened", name, n)
			}
			o, ok = tokens.open([]byte(segment[:n]), &scratch)
			if ok && (name != "plain" || o.secret == secret) {
				t.Errorf("%s: a token cut to %d is opened", name, n)
			}
		}
		if _, ok := tokens.open([]byte(strings.Repeat("A", 2000)), &scratch); ok {
			t.Errorf("%s: a token of 2000 characters is opened", name)
		}
	}
}

// Whoever knows the server secret can seal anything.
func TestSealedTokensThatSayNothingSensibleAreRefused(t *testing.T) {
	var key [32]byte
	aesni.HMAC(&key, testSecret[:], []byte("ilp_stream_connection_token"))
	nonce := make([]byte, tokenNonce)
	tag := oer.AppendVarOctets(nil, []byte("tag"))
	all := schemes(t)
	for _, c := range []struct {
		scheme, name string
		secret       []byte
		text         []byte
		good         bool
	}{
		{"current", "whole", testSecret[:], append(append(nonce, tag...), 0, 0), true},
		{"current", "tag cut short", testSecret[:], append(nonce, 9, 'x', 'x'), false},
		{"current", "no receipt nonce", testSecret[:], append(nonce, 2, 'x', 'x'), false},
		{"current", "no receipt secret", testSecret[:], append(nonce, 1, 'x', 0), false},
		{"receiver", "nothing announced", key[:], []byte{0}, true},
		{"receiver", "unknown flag", key[:], []byte{8}, false},
		{"receiver", "no flags", key[:], nil, false},
		{"receiver", "tag", key[:], append([]byte{receiverTag}, tag...), true},
		{"receiver", "tag cut short", key[:], []byte{receiverTag, 9, 'x'}, false},
		{"receiver", "receipts", key[:], append([]byte{receiverReceipts}, make([]byte, 48)...), true},
		{"receiver", "receipts cut short", key[:], append([]byte{receiverReceipts}, make([]byte, 47)...), false},
		{"receiver", "asset", key[:], []byte{receiverAsset, 3, 'U', 'S', 'D', 2}, true},
		{"receiver", "asset without a scale", key[:], []byte{receiverAsset, 3, 'U', 'S', 'D'}, false},
		{"receiver", "asset cut short", key[:], []byte{receiverAsset, 9, 'U'}, false},
	} {
		box, err := aesni.NewBox(c.secret)
		if err != nil {
			t.Fatal(err)
		}
		var scratch tokenScratch
		segment := tokenEncoding.EncodeToString(box.Seal(nil, new([12]byte), c.text))
		if _, ok := all[c.scheme].open([]byte(segment), &scratch); ok != c.good {
			t.Errorf("%s, %s: opened %v", c.scheme, c.name, ok)
		}
	}
}
