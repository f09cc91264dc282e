package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	f, err := receiveCommand.parse([]string{"--btp-listen=7768", "--echo", "--receive-max", "max", "--slippage", "0.015", "--raise-ms=250"})
	if err != nil {
		t.Fatal(err)
	}
	if f["btp-listen"] != "7768" || !f.on("echo") || f.on("print-data") || f.amount("receive-max", 0) != maxAmount || f.number("raise-ms", 0) != 250 {
		t.Errorf("got %v", f)
	}
	if o := options(f, "max-packet-out"); o.SlippagePPM != 15_000 {
		t.Errorf("slippage %d ppm", o.SlippagePPM)
	}
	if o := options(flags{"slippage": "0", "rate": "1.5"}, "max-packet"); o.SlippagePPM != -1 || o.RateNum != 3 || o.RateDen != 2 {
		t.Errorf("got %+v", o)
	}
	if o := options(flags{"expiry-ms": "31536000000", "idle-ms": "5"}, "max-packet"); o.Expiry != 31536000000*1e6 || o.IdleTimeout != 5e6 {
		t.Errorf("got %+v", o)
	}
}

const (
	aURL    = "--btp-url btp+ws://a:b@127.0.0.1:1"
	aSecret = " --secret AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
)

func TestWrongUsageIsStatus2(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "receive"},
		{"nonesuch", "nonesuch"},
		{"receive", "--btp-url"},
		{"receive --btp-listen 0 --btp-url btp+ws://a:b@c:1", "either"},
		{"receive --btp-listen 0 --trace", "--trace is not supported yet"},
		{"receive --btp-listen 0 --decline-every 0", "--decline-every"},
		{"receive --btp-listen 0 --spsp-port 70000", "--spsp-port"},
		{"receive --btp-listen 0 --spsp-port a:b:c", "--spsp-port"},
		{"receive --btp-listen 0 --spsp-port x", "HOST:PORT"},
		{"receive --btp-listen 0 --receipt-nonce AQ==", "16 octets"},
		{"receive --btp-listen 0 --nonesuch 1", "--nonesuch"},
		{"receive --btp-listen 0 --receive-max -5", "--receive-max"},
		{"receive --btp-listen 0 --receive-max", "--receive-max needs a value"},
		{"receive --btp-listen 0 --raise-by 5", "--receive-max"},
		{"receive --btp-listen 0 --server-secret short", "32 octets"},
		{"receive --btp-listen 0 extra", "extra"},
		{"receive --btp-listen 0 --echo=5", "switch"},
		{"send " + aURL + " --dest test.a", "--secret"},
		{"send " + aURL + aSecret, "--dest"},
		{"send " + aURL + aSecret + " --dest nonesuch..a", "--dest"},
		{"send " + aURL + aSecret + " --dest test.a --slippage 2", "--slippage"},
		{"send " + aURL + aSecret + " --dest test.a --rate 0", "--rate"},
		{"send " + aURL + aSecret + " --dest test.a --close maybe", "--close"},
		{"send " + aURL + aSecret + " --dest test.a --step 5", "--send"},
		{"send " + aURL + aSecret + " --dest test.a --receipt-secret AQ==", "--receipt-secret"},
		{"send " + aURL + aSecret + " --dest test.a --close destroy", "nothing to do"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
			t.Errorf("%s: status %d, %q", c.args, code, &stderr)
		}
	}
}

func TestSecretsAreBase64OrHexadecimal(t *testing.T) {
	for _, c := range []struct {
		text string
		good bool
	}{
		{"Aw==", false},
		{"++++++++++++++++++++++++++++++++++++++++++M=", true},
		{"------------------------------------------M", true},
		{strings.Repeat("fb", 32), true},
		{strings.Repeat("FB", 32), true},
		{strings.Repeat("fb", 31), false},
		{strings.Repeat("fb", 33), false},
		{strings.Repeat("fb", 31) + "zz", false},
		{strings.Repeat("A", 64), true}, // 32 octets in hexadecimal, 48 in base64
		{"", false},
	} {
		if err := isSecret(c.text); (err == nil) != c.good {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if b := (flags{"secret": strings.Repeat("fb", 32)}).octets("secret"); !bytes.Equal(b, bytes.Repeat([]byte{0xfb}, 32)) {
		t.Errorf("got %x", b)
	}
}

func TestHelpTeaches(t *testing.T) {
	for _, c := range []*command{&receiveCommand, &sendCommand} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{c.name, "-h"}, &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
			t.Errorf("%s -h: status %d, %q", c.name, code, &stderr)
		}
		seen := make(map[string]bool)
		for _, s := range c.flags {
			if !strings.Contains(stdout.String(), "  --"+s.name) || s.help == "" || seen[s.name] {
				t.Errorf("%s -h and --%s", c.name, s.name)
			}
			seen[s.name] = true
		}
		for _, name := range c.later {
			if seen[name] {
				t.Errorf("%s: --%s exists and does not", c.name, name)
			}
		}
	}
	var stdout bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stdout); code != exitDone || !strings.Contains(stdout.String(), "millrace send") {
		t.Errorf("--help: status %d, %q", code, &stdout)
	}
}

func TestOutput(t *testing.T) {
	var b bytes.Buffer
	o := newOutput(&b, false) // no terminal: JSON
	o.say("money", "stream", uint64(1), "amount", amount(maxAmount), "note", `"quoted"`)
	if want := `{"event":"money","stream":1,"amount":"18446744073709551615","note":"\"quoted\""}` + "\n"; b.String() != want {
		t.Errorf("got %s, want %s", &b, want)
	}
	b.Reset()
	o.json = false
	o.say("close", "connection", 1, "totalReceived", amount(5000), "streams", []object{{"id", 1, "bytes", 12}})
	if want := "close           connection 1  total received 5000\n  stream          id 1  bytes 12\n"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

func TestPeopleReadRejectsAndNoHashOfNothing(t *testing.T) {
	var b bytes.Buffer
	o := newOutput(&b, true)
	r := rejects{"T00": 1, "F99": 6}
	o.say("result", "rejected", r, "sha256", digest(nil))
	if want := `{"event":"result","rejected":{"F99":6,"T00":1},"sha256":"` + digest(nil) + "\"}\n"; b.String() != want {
		t.Errorf("got %s, want %s", &b, want)
	}
	b.Reset()
	o.json = false
	o.say("result", "rejected", r, "sha256", digest(nil), "rejected", rejects{}, "sha256", "01")
	if want := "result          rejected F99 6, T00 1 (F99 also answers the probes of the rate)  rejected none  sha256 01\n"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

func TestTheTokenStaysOutOfMessages(t *testing.T) {
	if got := redacted("btp+ws://alice:secret@127.0.0.1:7768/path"); got != "btp+ws://127.0.0.1:7768/path" {
		t.Errorf("got %s", got)
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		num, den uint64
		want     any
	}{{0, 0, nil}, {1, 1, "1"}, {1500, 1000, "1.5"}, {1, 3, "0.3333333333333333333"}, {1000, 1, "1000"}} {
		if got := rate(c.num, c.den); got != c.want {
			t.Errorf("%d/%d: got %v, want %v", c.num, c.den, got, c.want)
		}
	}
}
