package spsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		text, want string
		err        error
	}{
		// IL-RFC 0026
		{"$example.com", "https://example.com/.well-known/pay", nil},
		{"$example.com/", "https://example.com/.well-known/pay", nil},
		{"$example.com/bob", "https://example.com/bob", nil},
		{"$example.com/invoices/12345", "https://example.com/invoices/12345", nil},
		{"$bob.example.com/~b%20b", "https://bob.example.com/~b%20b", nil},
		{"$example.com/bob/", "https://example.com/bob/", nil},
		{"", "", ErrPointer},
		{"$", "", ErrPointer},
		{"$/bob", "", ErrPointer},
		{"example.com/bob", "", ErrPointer},
		{"$$example.com", "", ErrPointer},
		{"$https://example.com", "", ErrPointer},
		{"$example.com:8080/bob", "", ErrPointer},
		{"$bob@example.com", "", ErrPointer},
		{"$example.com?a=b", "", ErrPointer},
		{"$example.com/bob?a=b", "", ErrPointer},
		{"$example.com/bob#a", "", ErrPointer},
		{"$example..com", "", ErrPointer},
		{"$exa mple.com", "", ErrPointer},
		{"$example.com/b\nb", "", ErrPointer},
		{"$example.com\\bob", "", ErrPointer},
		{"$exämple.com", "", ErrPointer},
		{"$[::1]/bob", "", ErrPointer},
		{"$example.com/%zz", "", ErrPointer},
		{"$" + strings.Repeat("a", 64) + ".com", "", ErrPointer},
		{"$" + strings.Repeat("a.", 200) + "com", "", ErrPointer},
		// URLs
		{"https://example.com", "https://example.com/.well-known/pay", nil},
		{"https://example.com:8443/bob?invoice=7", "https://example.com:8443/bob?invoice=7", nil},
		{"http://127.0.0.1:3000/", "http://127.0.0.1:3000/.well-known/pay", nil},
		{"http://[::1]:3000/bob", "http://[::1]:3000/bob", nil},
		{"http://localhost/bob", "http://localhost/bob", nil},
		{"http://example.com/bob", "", ErrInsecure},
		{"http://127.0.0.1.example.com/bob", "", ErrInsecure},
		{"http://10.0.0.1/bob", "", ErrInsecure},
		{"https://bob:pw@example.com/", "", ErrPointer},
		{"https://example.com/#a", "", ErrPointer},
		{"https:///bob", "", ErrPointer},
		{"https:bob", "", ErrPointer},
		{"ftp://example.com/bob", "", ErrPointer},
		{"file:///etc/passwd", "", ErrPointer},
		{"test.bob.local", "", ErrPointer},
	} {
		if got, err := Resolve(c.text); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
}

const goodBody = `{"destination_account":"test.wallet.alice~1","shared_secret":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="}`

// serve answers every query with what answer writes.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAnswersOfOtherImplementations(t *testing.T) {
	ones := [32]byte([]byte(strings.Repeat("\x01", 32)))
	for what, c := range map[string]struct {
		kind, body string
		receipts   bool
	}{
		"plain":              {MediaType, goodBody, false},
		"charset":            {MediaType + "; charset=utf-8", goodBody, false},
		"receipts":           {MediaType, strings.Replace(goodBody, "{", `{"receipts_enabled":true,`, 1), true},
		"receipts not":       {MediaType, strings.Replace(goodBody, "{", `{"receipts_enabled":false,`, 1), false},
		"unknown fields":     {MediaType, strings.Replace(goodBody, "{", `{"balance":{"maximum":"5"},"x":null,`, 1), false},
		"base64url":          {MediaType, strings.Replace(goodBody, "=", "", 1), false},
		"space around":       {MediaType, " \n" + goodBody + "\r\n", false},
		"other names' case ": {MediaType, strings.Replace(goodBody, "{", `{"Shared_Secret":"no","DESTINATION_ACCOUNT":5,`, 1), false},
	} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" || r.Header.Get("Accept") != MediaType || r.URL.Path != "/alice" {
				t.Errorf("%s %s, Accept %s", r.Method, r.URL, r.Header.Get("Accept"))
			}
			w.Header().Set("Content-Type", c.kind)
			_, _ = fmt.Fprint(w, c.body)
		})
		d, err := Query(t.Context(), nil, url+"/alice")
		if want := (Details{"test.wallet.alice~1", ones, c.receipts, url + "/alice"}); err != nil || d != want {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}
}

func TestHostileAnswersAreRefused(t *testing.T) {
	swap := func(from, to string) string {
		if !strings.Contains(goodBody, from) {
			t.Fatal(from)
		}
		return strings.Replace(goodBody, from, to, 1)
	}
	const key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	for what, c := range map[string]struct{ kind, body string }{
		"no JSON":                    {MediaType, "<html>"},
		"nothing":                    {MediaType, ""},
		"null":                       {MediaType, "null"},
		"an array":                   {MediaType, "[" + goodBody + "]"},
		"two objects":                {MediaType, goodBody + goodBody},
		"cut off":                    {MediaType, goodBody[:len(goodBody)-1]},
		"nested too deep":            {MediaType, strings.Repeat(`{"a":`, 3000)},
		"too large":                  {MediaType, goodBody + strings.Repeat(" ", MaxAnswer)},
		"no address":                 {MediaType, swap("destination_account", "destination")},
		"no secret":                  {MediaType, swap("shared_secret", "secret")},
		"address in capitals":        {MediaType, swap("destination_account", "Destination_Account")},
		"address null":               {MediaType, swap(`"test.wallet.alice~1"`, "null")},
		"address a number":           {MediaType, swap(`"test.wallet.alice~1"`, "5")},
		"address empty":              {MediaType, swap("test.wallet.alice~1", "")},
		"address of no scheme":       {MediaType, swap("test.wallet", "wallet")},
		"address with a space":       {MediaType, swap("alice~1", "alice 1")},
		"address not ASCII":          {MediaType, swap("alice~1", "älice")},
		"address too long":           {MediaType, swap("alice~1", strings.Repeat("a", 1100))},
		"address of our neighbour":   {MediaType, swap("test.wallet", "peer")},
		"peer.config":                {MediaType, swap("test.wallet.alice~1", "peer.config")},
		"address of ourselves":       {MediaType, swap("test.wallet", "self")},
		"secret null":                {MediaType, swap(`"`+key+`"`, "null")},
		"secret a list":              {MediaType, swap(`"`+key+`"`, "[1,2]")},
		"secret empty":               {MediaType, swap(key, "")},
		"secret of 31 octets":        {MediaType, swap(key, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==")},
		"secret of 33 octets":        {MediaType, swap(key, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB")},
		"secret not base64":          {MediaType, swap("AQEB", "AQ!B")},
		"secret padded in hex":       {MediaType, swap(key, strings.Repeat("01", 32))},
		"secret with line ends":      {MediaType, swap("AQEBAQEBA", `AQ\r\nBAQE`)},
		"receipts neither":           {MediaType, swap("{", `{"receipts_enabled":"yes",`)},
		"the old protocol":           {"application/spsp+json", goodBody},
		"plain JSON":                 {"application/json", goodBody},
		"a type that contains ours":  {"text/html; note=" + MediaType, goodBody},
		"a type that is no type":     {";;", goodBody},
		"a type that was not stated": {"", goodBody},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{c.kind}
			_, _ = fmt.Fprint(w, c.body)
		})
		if d, err := Query(t.Context(), nil, url); !errors.Is(err, ErrAnswer) || d.Address != "" || d.Secret != [32]byte{} {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}
}

func TestAnEndlessAnswerIsNotRead(t *testing.T) {
	ended := make(chan error, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", MediaType)
		for {
			if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<16)); err != nil {
				ended <- err
				return
			}
		}
	})
	if _, err := Query(t.Context(), nil, url); !errors.Is(err, ErrAnswer) {
		t.Errorf("body: %v", err)
	}
	select {
	case err := <-ended:
		t.Log(err)
	case <-time.After(5 * time.Second):
		t.Error("the connection is still open")
	}
	url = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 1<<20))
	})
	if _, err := Query(t.Context(), nil, url); err == nil || !strings.Contains(err.Error(), "header") {
		t.Errorf("header: %v", err)
	}
}

func TestASilentEndpointIsLeftWithTheContext(t *testing.T) {
	stop := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) { <-stop })
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Query(ctx, nil, url); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestStatusErrorsKeepTheEndpointsWords(t *testing.T) {
	for status, c := range map[int]struct{ body, id, message string }{
		404: {`{"id":"InvalidReceiverError","message":"no such receiver"}`, "InvalidReceiverError", "no such receiver"},
		409: {"<html>", "", ""},
		500: {strings.Repeat("a", 2*MaxAnswer), "", ""},
		202: {goodBody, "", ""},
		204: {"", "", ""},
		418: {`{"id":"x","message":"\u001b[31mred\n"}`, "x", "\x1b[31mred\n"},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", MediaType)
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, c.body)
		})
		_, err := Query(t.Context(), nil, url)
		var got *StatusError
		if !errors.As(err, &got) || *got != (StatusError{status, c.id, c.message}) {
			t.Errorf("%d: %v", status, err)
			continue
		}
		if strings.ContainsAny(err.Error(), "\x1b\n") || !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d: %q", status, err)
		}
	}
}

func TestRedirectsAreFollowedButNeverDown(t *testing.T) {
	good := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", MediaType)
		_, _ = fmt.Fprint(w, goodBody)
	}
	end := serve(t, good)
	to := func(target string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) }
	}
	if d, err := Query(t.Context(), nil, serve(t, to(end+"/final"))); err != nil || d.Endpoint != end+"/final" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := Query(t.Context(), nil, serve(t, to("http://wallet.example/alice"))); !errors.Is(err, ErrInsecure) {
		t.Errorf("to http: %v", err)
	}
	if _, err := Query(t.Context(), nil, serve(t, to("/again"))); !errors.Is(err, ErrAnswer) {
		t.Errorf("in a circle: %v", err)
	}
	tls := httptest.NewTLSServer(to(end))
	defer tls.Close()
	if _, err := Query(t.Context(), tls.Client(), tls.URL); !errors.Is(err, ErrInsecure) {
		t.Errorf("from https to http: %v", err)
	}
	mine := errors.New("mine")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return mine }}
	if _, err := Query(t.Context(), client, serve(t, to(end))); !errors.Is(err, mine) {
		t.Errorf("the client's own policy: %v", err)
	}
	secured := httptest.NewUnstartedServer(http.HandlerFunc(good))
	secured.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of being refused
	secured.StartTLS()
	defer secured.Close()
	if _, err := Query(t.Context(), nil, secured.URL); err == nil {
		t.Error("a certificate of nobody's was believed")
	}
	if _, err := Query(t.Context(), secured.Client(), secured.URL); err != nil {
		t.Error(err)
	}
}
