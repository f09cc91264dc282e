package spsp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// tokens issues credentials of a token scheme, without an engine.
type tokens struct {
	scheme stream.TokenScheme
	asked  []stream.CredentialOptions
}

func (s *tokens) Credentials(o stream.CredentialOptions) (engine.Credentials, error) {
	s.asked = append(s.asked, o)
	random := [30]byte{byte(len(s.asked))}
	segment, secret, err := s.scheme.Issue(&random, o)
	return engine.Credentials{Address: "test.wallet." + segment, Secret: secret}, err
}

func issuer(t *testing.T) *tokens {
	t.Helper()
	scheme, err := stream.NewTokens(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &tokens{scheme: scheme}
}

// ask sends one query; headers are names and values in turn.
func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var (
	aNonce      = base64.StdEncoding.EncodeToString(make([]byte, 16))
	aSecret     = base64.StdEncoding.EncodeToString(make([]byte, 32))
	sixteenOnes = strings.Repeat("\xff", 16)
)

func TestEveryQueryGetsFreshCredentials(t *testing.T) {
	h := &Handler{Server: issuer(t)}
	seen := make(map[string]bool)
	for range 3 {
		w := ask(h, "GET", "/", "Accept", "application/spsp4+json, application/spsp+json")
		if w.Code != 200 || w.Header().Get("Content-Type") != MediaType || w.Header().Get("Cache-Control") != "no-cache" {
			t.Fatalf("%d %v", w.Code, w.Header())
		}
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body) != 2 {
			t.Fatalf("%s: %v", w.Body, err)
		}
		secret, err := base64.StdEncoding.DecodeString(body["shared_secret"].(string)) // padded, as IL-RFC 0009 has it
		if err != nil || len(secret) != 32 {
			t.Errorf("shared_secret %v: %v", body["shared_secret"], err)
		}
		address := body["destination_account"].(string)
		if seen[address] || seen[string(secret)] {
			t.Errorf("%s twice", address)
		}
		seen[address], seen[string(secret)] = true, true
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Error("no script may ask")
		}
	}
}

func TestReceiptHeadersGoIntoTheCredentials(t *testing.T) {
	s := issuer(t)
	h := &Handler{Server: s, MaxAge: time.Minute}
	w := ask(h, "GET", "/", "Receipt-Nonce", base64.RawURLEncoding.EncodeToString([]byte(sixteenOnes)), "Receipt-Secret", aSecret)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"receipts_enabled":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-cache" { // they belong to that nonce
		t.Error("may be used again")
	}
	if o := s.asked[0]; string(o.ReceiptNonce) != sixteenOnes || len(o.ReceiptSecret) != 32 {
		t.Errorf("%+v", o)
	}

	plain, err := stream.NewPlainTokens(make([]byte, 32)) // carries no receipts
	if err != nil {
		t.Fatal(err)
	}
	w = ask(&Handler{Server: &tokens{scheme: plain}}, "GET", "/", "Receipt-Nonce", aNonce, "Receipt-Secret", aSecret)
	if w.Code != 200 || strings.Contains(w.Body.String(), "receipts_enabled") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWrongQueriesAreRefused(t *testing.T) {
	s := issuer(t)
	var told []int
	h := &Handler{
		Server: s,
		Receiver: func(r *http.Request) (stream.CredentialOptions, error) {
			switch r.URL.Path {
			case "/nobody":
				return stream.CredentialOptions{}, ErrNoReceiver
			case "/broken":
				return stream.CredentialOptions{}, errors.New("spsp: the secret plan")
			}
			return stream.CredentialOptions{Tag: "é"}, nil // which no token carries
		},
		Answered: func(_ *http.Request, status int, err error) {
			if err == nil {
				t.Errorf("%d without a reason", status)
			}
			told = append(told, status)
		},
	}
	var want []int
	for _, c := range []struct {
		what, method, path string
		headers            []string
		status             int
		says               string
	}{
		{"IL-RFC 0009, unknown receiver", "GET", "/nobody", nil, 404, `{"id":"InvalidReceiverError","message":"no such receiver"}`},
		{"only the old protocol", "GET", "/", []string{"Accept", "application/spsp+json"}, 406, "NotAcceptableError"},
		{"HTML", "GET", "/", []string{"Accept", "text/html"}, 406, "Accept"},
		{"nothing", "GET", "/", []string{"Accept", ""}, 406, "Accept"},
		{"explicitly not", "GET", "/", []string{"Accept", "*/*, application/spsp4+json;q=0"}, 406, "Accept"},
		{"POST", "POST", "/", nil, 405, "GET"},
		{"nonce alone", "GET", "/", []string{"Receipt-Nonce", aNonce}, 400, "InvalidReceiptRequestError"},
		{"secret alone", "GET", "/", []string{"Receipt-Secret", aSecret}, 400, "Receipt-Nonce"},
		{"short nonce", "GET", "/", []string{"Receipt-Nonce", "AQ==", "Receipt-Secret", aSecret}, 400, "Receipt-Nonce"},
		{"long secret", "GET", "/", []string{"Receipt-Nonce", aNonce, "Receipt-Secret", aSecret + "AAAA"}, 400, "Receipt-Nonce"},
		{"no base64", "GET", "/", []string{"Receipt-Nonce", aNonce, "Receipt-Secret", strings.Repeat("!", 44)}, 400, "Receipt-Nonce"},
		{"empty nonce", "GET", "/", []string{"Receipt-Nonce", "", "Receipt-Secret", aSecret}, 400, "Receipt-Nonce"},
		{"two nonces", "GET", "/", []string{"Receipt-Nonce", aNonce, "Receipt-Nonce", aNonce, "Receipt-Secret", aSecret}, 400, "Receipt-Nonce"},
		{"a receiver that fails", "GET", "/broken", nil, 500, "no credentials"},
		{"a tag that no token carries", "GET", "/", nil, 500, "no credentials"},
	} {
		w := ask(h, c.method, c.path, c.headers...)
		want = append(want, c.status)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "secret plan") {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "shared_secret") || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v %s", c.what, w.Header(), w.Body)
		}
		if (w.Header().Get("Allow") != "") != (c.status == 405) {
			t.Errorf("%s: Allow %q", c.what, w.Header().Get("Allow"))
		}
	}
	if len(told) != len(want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}

func TestAcceptHeadersThatLeaveRoom(t *testing.T) {
	h := &Handler{Server: issuer(t), MaxAge: 90*time.Second + 1}
	for _, accept := range []string{
		"application/spsp4+json", "Application/SPSP4+JSON", "application/json, application/spsp4+json", "*/*", "application/*;q=0.1",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "*/*;q=0, application/spsp4+json", "text/html;;, application/spsp4+json",
	} {
		if w := ask(h, "GET", "/", "Accept", accept); w.Code != 200 || w.Header().Get("Cache-Control") != "private, max-age=90" {
			t.Errorf("%s: %d %v", accept, w.Code, w.Header())
		}
	}
	if w := ask(h, "GET", "/"); w.Code != 200 {
		t.Errorf("no header: %d", w.Code)
	}
	if w := ask(h, "HEAD", "/"); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := ask(h, "OPTIONS", "/", "Accept", "text/html"); w.Code != 204 || w.Body.Len() > 0 || w.Header().Get("Access-Control-Allow-Headers") != "web-monetization-id" {
		t.Errorf("OPTIONS: %d %v %s", w.Code, w.Header(), w.Body)
	}
}
