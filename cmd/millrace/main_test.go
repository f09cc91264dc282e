package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines collects JSON lines as they are printed.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// line is what these tests look at of a JSON line.
type line struct {
	Event              string `json:"event"`
	DestinationAccount string `json:"destinationAccount"`
	SharedSecret       string `json:"sharedSecret"`
	Btp                string `json:"btp"`
	SPSP               string `json:"spsp"`
	ConnectionTag      string `json:"connectionTag"`
	OK                 *bool  `json:"ok"`
	Error              string `json:"error"`
	TotalSent          string `json:"totalSent"`
	TotalReceived      string `json:"totalReceived"`
	TotalDelivered     string `json:"totalDelivered"`
	UTF8               string `json:"utf8"`
	Streams            []struct {
		ID            uint64 `json:"id"`
		TotalReceived string `json:"totalReceived"`
		TotalSent     string `json:"totalSent"`
		Bytes         int    `json:"bytes"`
		SHA256        string `json:"sha256"`
		DataSHA256    string `json:"dataSha256"`
	} `json:"streams"`
}

func (l *lines) find(t *testing.T, event string) (line, bool) {
	t.Helper()
	for text := range strings.Lines(l.String()) {
		var o line
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("not a JSON line: %q: %v", text, err)
		}
		if o.Event == event {
			return o, true
		}
	}
	return line{}, false
}

func (l *lines) wait(t *testing.T, event string) line {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if o, ok := l.find(t, event); ok {
			return o
		}
	}
	t.Fatalf("no %q in\n%s", event, l)
	return line{}
}

// receiver runs `millrace receive` until stop, which returns its exit status.
func receiver(t *testing.T, args ...string) (out *lines, ready line, stop func() int) {
	t.Helper()
	out = &lines{}
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	var stderr lines
	go func() {
		status <- run(ctx, append([]string{"receive", "--btp-listen", "0", "--token", "sesame"}, args...), out, &stderr)
	}()
	stop = sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-status:
			return code
		case <-time.After(5 * time.Second):
			t.Errorf("receive does not stop; it said\n%s%s", out, &stderr)
			return -1
		}
	})
	t.Cleanup(func() { stop() })
	return out, out.wait(t, "ready"), stop
}

func url(ready line) string { return strings.Replace(ready.Btp, "TOKEN", "sesame", 1) }

// pay runs `millrace send` and returns its result.
func pay(t *testing.T, ready line, args ...string) (int, line, *lines) {
	t.Helper()
	var out, stderr lines
	code := run(t.Context(), append([]string{
		"send", "--btp-url", url(ready), "--dest", ready.DestinationAccount, "--secret", ready.SharedSecret, "--timeout", "5000",
	}, args...), &out, &stderr)
	r, ok := out.find(t, "result")
	if !ok {
		t.Fatalf("status %d without result:\n%s%s", code, &out, &stderr)
	}
	if (code == exitDone) != (r.OK != nil && *r.OK) {
		t.Errorf("status %d, but\n%s", code, &out)
	}
	return code, r, &out
}

func TestMoneyAndDataArrive(t *testing.T) {
	out, ready, stop := receiver(t, "--tag", "invoice-42", "--print-data")
	code, r, sent := pay(t, ready, "--send", "5000", "--max-packet", "1000", "--data", "hello, world")
	if code != exitDone || r.TotalSent != "5000" || r.TotalDelivered != "5000" {
		t.Errorf("status %d, %+v\n%s", code, r, sent)
	}
	if _, ok := sent.find(t, "connected"); !ok {
		t.Errorf("never connected:\n%s", sent)
	}
	c := out.wait(t, "close")
	if code := stop(); code != exitDone {
		t.Errorf("receive ends with %d", code)
	}
	if c.TotalReceived != "5000" || len(c.Streams) != 1 || c.Streams[0].TotalReceived != "5000" || c.Streams[0].Bytes != 12 ||
		c.Streams[0].SHA256 != digest([]byte("hello, world")) || c.Streams[0].SHA256 != r.Streams[0].DataSHA256 {
		t.Errorf("close: %+v", c)
	}
	if tag := out.wait(t, "connection").ConnectionTag; tag != "invoice-42" || c.ConnectionTag != tag {
		t.Errorf("tag %q", tag)
	}
	if d := out.wait(t, "data"); d.UTF8 != "hello, world" {
		t.Errorf("data: %+v", d)
	}
	if m := out.wait(t, "money"); m.TotalReceived == "" {
		t.Errorf("money: %+v", m)
	}
}

// What a person is told to send with can be pasted.
func TestTheSendersLineCanBePasted(t *testing.T) {
	for _, c := range []struct {
		f    flags
		want string
	}{
		{nil, "btp+ws://:token@127.0.0.1:7768"},
		{flags{"token": "sesame"}, "btp+ws://:sesame@127.0.0.1:7768"},
		{flags{"token": "it's $1"}, `'btp+ws://:it'\''s $1@127.0.0.1:7768'`},
	} {
		if got := sendersURL(c.f, object{"sharedSecret", "x", "btp", "btp+ws://:TOKEN@127.0.0.1:7768"}); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestASecretInHexadecimalDigitsPays(t *testing.T) {
	_, ready, _ := receiver(t)
	secret, err := base64.StdEncoding.DecodeString(ready.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	ready.SharedSecret = hex.EncodeToString(secret)
	if code, r, sent := pay(t, ready, "--send", "70"); code != exitDone || r.TotalDelivered != "70" {
		t.Errorf("status %d, %+v\n%s", code, r, sent)
	}
}

func TestMoneyComesBack(t *testing.T) {
	out, ready, _ := receiver(t, "--send-back", "2500", "--max-packet-out", "1000")
	if code, r, sent := pay(t, ready, "--send", "100", "--receive", "2500"); code != exitDone || r.TotalReceived != "2500" {
		t.Errorf("status %d, %+v\n%s", code, r, sent)
	}
	if c := out.wait(t, "close"); c.TotalSent != "2500" || c.TotalReceived != "100" {
		t.Errorf("close: %+v", c)
	}
}

func TestTheReceiveMaximumHolds(t *testing.T) {
	out, ready, _ := receiver(t, "--receive-max", "2500")
	code, r, sent := pay(t, ready, "--send", "6000", "--max-packet", "500", "--timeout", "700")
	if code != exitFailed || r.TotalSent != "2500" || r.TotalDelivered != "2500" {
		t.Errorf("status %d, %+v\n%s", code, r, sent)
	}
	if c := out.wait(t, "close"); c.TotalReceived != "2500" {
		t.Errorf("close: %+v", c)
	}
}

func TestAReceiverThatIsStoppedReportsWhatIsOpen(t *testing.T) {
	out, ready, stop := receiver(t)
	paying := make(chan struct{})
	go func() {
		defer close(paying)
		var stdout, stderr lines
		run(t.Context(), []string{"send", "--btp-url", url(ready), "--dest", ready.DestinationAccount, "--secret", ready.SharedSecret,
			"--send", "10", "--hold-ms", "3000", "--timeout", "10000"}, &stdout, &stderr)
	}()
	out.wait(t, "money")
	if code := stop(); code != exitDone {
		t.Errorf("receive ends with %d", code)
	}
	if c, ok := out.find(t, "close"); !ok || c.TotalReceived != "10" {
		t.Errorf("no report:\n%s", out)
	}
	<-paying
}

// A person who stops a receiver reads the totals, be they 0.
func TestAPersonReadsTheTotals(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := receive(ctx, flags{"btp-listen": "0"}, &output{w: &out}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "total           connections 0  received 0  sent 0\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

func TestASenderThatIsInterruptedReports(t *testing.T) {
	_, ready, _ := receiver(t, "--receive-max", "10")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out, stderr lines
	code := run(ctx, []string{"send", "--btp-url", url(ready), "--dest", ready.DestinationAccount, "--secret", ready.SharedSecret, "--send", "100"}, &out, &stderr)
	if r, ok := out.find(t, "result"); code != exitFailed || !ok || r.TotalSent != "10" {
		t.Errorf("status %d\n%s%s", code, &out, &stderr)
	}
}

func TestWhatCannotWorkSaysSo(t *testing.T) {
	out, ready, _ := receiver(t)
	wrong := ready
	wrong.SharedSecret = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
	if code, r, _ := pay(t, wrong, "--send", "10", "--timeout", "2000"); code != exitFailed || r.Error == "" {
		t.Errorf("wrong secret: status %d, %+v", code, r)
	}
	if _, ok := out.find(t, "connection"); ok {
		t.Error("a wrong secret opened a connection")
	}
	if code, r, _ := pay(t, ready, "--send", "10"); code != exitDone {
		t.Errorf("new credentials: status %d, %+v", code, r)
	}
	if code, r, _ := pay(t, ready, "--send", "10"); code != exitFailed || !strings.Contains(r.Error, "used before") {
		t.Errorf("used credentials: status %d, %+v", code, r)
	}
	wrong = ready
	wrong.Btp = strings.Replace(ready.Btp, "TOKEN", "wrong", 1)
	if code, r, _ := pay(t, wrong, "--send", "10", "--timeout", "2000"); code != exitFailed || r.Error == "" || strings.Contains(r.Error, "wrong@") {
		t.Errorf("wrong token: status %d, %+v", code, r)
	}
}
