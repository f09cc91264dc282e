package main

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/engine/spsp"
)

// query asks a receiver's endpoint and returns it with the credentials replaced.
func query(t *testing.T, ready line) line {
	t.Helper()
	d, err := spsp.Query(t.Context(), nil, ready.SPSP)
	if err != nil {
		t.Fatal(err)
	}
	if d.Address == ready.DestinationAccount {
		t.Error("the same credentials twice")
	}
	ready.DestinationAccount, ready.SharedSecret = d.Address, base64.StdEncoding.EncodeToString(d.Secret[:])
	return ready
}

func TestSPSPGivesOutCredentialsThatWork(t *testing.T) {
	out, ready, stop := receiver(t, "--spsp-port", "0", "--tag", "invoice-42")
	if !strings.HasPrefix(ready.SPSP, "http://127.0.0.1:") || !strings.HasSuffix(ready.SPSP, "/") {
		t.Fatalf("spsp %q", ready.SPSP)
	}
	first := query(t, ready)
	if code, r, sent := pay(t, query(t, ready), "--send", "700"); code != exitDone || r.TotalDelivered != "700" {
		t.Errorf("status %d, %+v\n%s", code, r, sent)
	}
	if c := out.wait(t, "close"); c.TotalReceived != "700" || c.ConnectionTag != "invoice-42" {
		t.Errorf("close: %+v", c)
	}
	if code, r, sent := pay(t, first, "--send", "10"); code != exitDone {
		t.Errorf("the first credentials: status %d, %+v\n%s", code, r, sent)
	}
	// The line that the reference prints.
	if want := `{"event":"spsp-query","path":"/.well-known/pay","accept":"application/spsp4+json"}` + "\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, out)
	}
	if code := stop(); code != exitDone {
		t.Errorf("receive ends with %d", code)
	}
	if _, err := spsp.Query(t.Context(), nil, ready.SPSP); err == nil {
		t.Error("the endpoint goes on")
	}
}

// A verifier's headers come back as receipts_enabled; half of them does not.
func TestSPSPTakesAVerifiersHeaders(t *testing.T) {
	_, ready, _ := receiver(t, "--spsp-port", "127.0.0.1:0")
	ask := func(headers ...string) (int, bool) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", ready.SPSP, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Body.Close()
		var body struct {
			Enabled bool `json:"receipts_enabled"`
		}
		if err := json.NewDecoder(w.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		return w.StatusCode, body.Enabled
	}
	nonce, secret := base64.StdEncoding.EncodeToString(make([]byte, 16)), base64.StdEncoding.EncodeToString(make([]byte, 32))
	if status, enabled := ask("Receipt-Nonce", nonce, "Receipt-Secret", secret); status != 200 || !enabled {
		t.Errorf("both: %d, %t", status, enabled)
	}
	if status, _ := ask("Receipt-Nonce", nonce); status != 400 {
		t.Errorf("one: %d", status)
	}
}

// The receiver's own --receipt-nonce goes into what SPSP gives out, as at the reference.
func TestSPSPGivesOutTheReceiversOwnReceipts(t *testing.T) {
	nonce, secret := base64.StdEncoding.EncodeToString(make([]byte, 16)), base64.StdEncoding.EncodeToString(make([]byte, 32))
	_, ready, _ := receiver(t, "--spsp-port", "0", "--receipt-nonce", nonce, "--receipt-secret", secret)
	if d, err := spsp.Query(t.Context(), nil, ready.SPSP); err != nil || !d.ReceiptsEnabled {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestAPortThatIsTakenIsStatus1(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var stdout, stderr lines
	code := run(t.Context(), []string{"receive", "--btp-listen", "0", "--spsp-port", taken.Addr().String()}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "--spsp-port") || strings.Contains(stdout.String(), "ready") {
		t.Errorf("status %d\n%s%s", code, &stdout, &stderr)
	}
}

func TestSendAsksAPaymentPointer(t *testing.T) {
	out, ready, _ := receiver(t, "--spsp-port", "0")
	var sent, stderr lines
	code := run(t.Context(), []string{"send", "--btp-url", url(ready), "--pointer", ready.SPSP, "--timeout", "5000", "--send", "300"}, &sent, &stderr)
	if code != exitDone || !strings.Contains(sent.String(), `"event":"spsp"`) {
		t.Errorf("status %d\n%s%s", code, sent.String(), stderr.String())
	}
	if c := out.wait(t, "close"); c.TotalReceived != "300" {
		t.Errorf("received %s", c.TotalReceived)
	}
}

func TestSendSaysWhatIsWrongWithAPointer(t *testing.T) {
	_, ready, _ := receiver(t)
	for _, c := range []struct{ args, want string }{
		{"--pointer nonsense", "not a payment pointer"},
		{"--pointer http://127.0.0.1:1/", "refused"},
		{"--pointer $a.example --dest test.a", "either --pointer or"},
		{"--dest test.a", "--secret is required"},
	} {
		var sent, stderr lines
		code := run(t.Context(), append([]string{"send", "--btp-url", url(ready), "--send", "1"}, strings.Fields(c.args)...), &sent, &stderr)
		if text := sent.String() + stderr.String(); code == exitDone || !strings.Contains(text, c.want) {
			t.Errorf("%s: status %d, %s", c.args, code, text)
		}
	}
}
