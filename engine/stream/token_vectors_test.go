package stream

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

type tokenVectors struct {
	Current []struct {
		Name, ServerSecret, TokenNonce, IV, ConnectionTag string
		ReceiptNonce, ReceiptSecret, Token, SharedSecret  string
		DestinationAccount                                string
	}
	LegacyBase64Text []struct{ ServerSecret, ConnectionTag, DestinationAccount, SharedSecret string }
	StreamReceiver   []struct{ Name, ServerSecret, TokenPlaintext, Token, IlpAddress, SharedSecret string }
	Tampered         []struct {
		Token         string
		TokenDecrypts bool
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lastSegment(address string) []byte {
	return []byte(address[strings.LastIndexByte(address, '.')+1:])
}

// The reference library's credentials are ours, both ways.
func TestTokensOfTheReferenceLibrary(t *testing.T) {
	v := vectors.Load[tokenVectors](t, "stream_tokens.json")
	if len(v.Current) < 10 || len(v.Tampered) == 0 {
		t.Fatal("vectors are missing")
	}
	var scratch tokenScratch
	for _, c := range v.Current {
		tokens, err := NewTokens(unhex(t, c.ServerSecret))
		if err != nil {
			t.Fatal(err)
		}
		o, ok := tokens.open(lastSegment(c.DestinationAccount), &scratch)
		if !ok {
			t.Errorf("%s: refused", c.Name)
			continue
		}
		if hex.EncodeToString(o.secret[:]) != c.SharedSecret || string(o.tag) != c.ConnectionTag ||
			hex.EncodeToString(o.receiptNonce) != c.ReceiptNonce || hex.EncodeToString(o.receiptSecret) != c.ReceiptSecret {
			t.Errorf("%s: opened as %+v", c.Name, o)
		}
		random := [30]byte(append(unhex(t, c.TokenNonce), unhex(t, c.IV)...))
		segment, secret, err := tokens.Issue(&random, CredentialOptions{
			Tag: c.ConnectionTag, ReceiptNonce: unhex(t, c.ReceiptNonce), ReceiptSecret: unhex(t, c.ReceiptSecret),
		})
		if err != nil || segment != string(lastSegment(c.DestinationAccount)) || hex.EncodeToString(secret[:]) != c.SharedSecret {
			t.Errorf("%s: issued %s, %x, %v", c.Name, segment, secret, err)
		}
	}
}

// The plain scheme opens what the reference made before 2.5, and makes the like.
func TestPlainTokensOfTheReferenceLibrary(t *testing.T) {
	v := vectors.Load[tokenVectors](t, "stream_tokens.json")
	var scratch tokenScratch
	for _, c := range v.LegacyBase64Text {
		tokens, err := NewPlainTokens(unhex(t, c.ServerSecret))
		if err != nil {
			t.Fatal(err)
		}
		segment := lastSegment(c.DestinationAccount)
		o, ok := tokens.open(segment, &scratch)
		if !ok || string(o.tag) != c.ConnectionTag || hex.EncodeToString(o.secret[:]) != c.SharedSecret {
			t.Errorf("%s: %v %+v", segment, ok, o)
		}
		var random [30]byte
		if _, err := tokenEncoding.Decode(random[:], segment[:plainLen]); err != nil {
			t.Fatal(err)
		}
		again, secret, err := tokens.Issue(&random, CredentialOptions{Tag: c.ConnectionTag})
		if err != nil || again != string(segment) || secret != o.secret {
			t.Errorf("%s: issued %s, %x, %v", segment, again, secret, err)
		}
	}
	tokens, _ := NewPlainTokens(make([]byte, 32))
	for _, o := range []CredentialOptions{{Tag: "with space"}, {ReceiptNonce: make([]byte, 16), ReceiptSecret: make([]byte, 32)}} {
		if _, _, err := tokens.Issue(new([30]byte), o); err != ErrScheme {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, bad := range []string{"", "short", "jGxbqX8UHAkBQUWVCs2xLFv!", "jGxbqX8UHAkBQUWVCs2xLFvwx", strings.Repeat("a", 1000)} {
		if _, ok := tokens.open([]byte(bad), &scratch); ok {
			t.Errorf("%q opened", bad)
		}
	}
}

// The receiver's scheme opens what @interledger/stream-receiver made, and makes
// the like.
func TestTokensOfTheStreamReceiver(t *testing.T) {
	v := vectors.Load[tokenVectors](t, "stream_tokens.json")
	var scratch tokenScratch
	for _, c := range v.StreamReceiver {
		tokens, err := NewReceiverTokens(unhex(t, c.ServerSecret))
		if err != nil {
			t.Fatal(err)
		}
		o, ok := tokens.open(lastSegment(c.IlpAddress), &scratch)
		if !ok || hex.EncodeToString(o.secret[:]) != c.SharedSecret {
			t.Errorf("%s: %v %x", c.Name, ok, o.secret)
			continue
		}
		if text := unhex(t, c.TokenPlaintext); text[0]&receiverAsset == 0 {
			random := [30]byte(append(make([]byte, tokenNonce), unhex(t, c.Token)[:12]...))
			segment, secret, err := tokens.Issue(&random, CredentialOptions{Tag: string(o.tag), ReceiptNonce: o.receiptNonce, ReceiptSecret: o.receiptSecret})
			if err != nil || segment != string(lastSegment(c.IlpAddress)) || hex.EncodeToString(secret[:]) != c.SharedSecret {
				t.Errorf("%s: issued %s, %x, %v", c.Name, segment, secret, err)
			}
		}
	}
}

// Tokens that do not authenticate under the scheme are refused before anything
// is derived from them, the other schemes' among them.
func TestForeignTokensAreRefused(t *testing.T) {
	v := vectors.Load[tokenVectors](t, "stream_tokens.json")
	var scratch tokenScratch
	refuse := func(secret string, segment []byte) {
		t.Helper()
		tokens, err := NewTokens(unhex(t, secret))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tokens.open(segment, &scratch); ok {
			t.Errorf("%s opened", segment)
		}
	}
	for _, c := range v.LegacyBase64Text {
		refuse(c.ServerSecret, lastSegment(c.DestinationAccount))
	}
	for _, c := range v.StreamReceiver {
		refuse(c.ServerSecret, lastSegment(c.IlpAddress))
	}
	for _, c := range v.Tampered {
		if !c.TokenDecrypts {
			refuse(v.Current[0].ServerSecret, []byte(tokenEncoding.EncodeToString(unhex(t, c.Token))))
		}
	}
}
