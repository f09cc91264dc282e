package transport

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/session"
)

func TestListenerRefusesWrongCredentialsAndSaysNoMore(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp, ln := listening(t, b, LoopConfig{}, r)
		c := connect(t, ln, 0)
		c.send(c.auth("guess"))
		p := c.next()
		f, ok := p.ErrorFields()
		if !ok || p.RequestID() != 1 || f.Code != btp.CodeNotAccepted || string(f.Data) != session.WrongToken {
			t.Errorf("answer %v %+v", p.Type(), f)
		}
		if !c.ended() || c.code != 1005 {
			t.Errorf("close code %d, end %v", c.code, c.end)
		}
		if len(r.ups) != 0 || lp.Stats().Links != 0 {
			t.Error("a link came up")
		}
		_, err := Dial(t.Context(), DialConfig{URL: "btp+ws://alice:guess@" + ln.Addr().String(), Loop: lp})
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Code != btp.CodeNotAccepted {
			t.Errorf("Dial says %v", err)
		}
	})
}

func TestListenerAnswersOnlyWebSocketHandshakes(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	lp := startLoop(t, StdNet, LoopConfig{}, newRecorder(t))
	ln := startListener(t, lp, ListenConfig{AllowedPaths: []string{"/", "/btp"}})
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"good", "GET / HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\n\r\n", 101},
		{"good path and query", "GET /btp?x=1 HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\n\r\n", 101},
		{"good with an extension and a protocol", "GET / HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: x\r\n\r\n", 101},
		{"other path", "GET /other HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\n\r\n", 404},
		{"other version", "GET / HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 8\r\n\r\n", 426},
		{"no upgrade", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"no key", "GET / HTTP/1.1\r\n" + upgrade + "Sec-WebSocket-Version: 13\r\n\r\n", 400},
		{"POST", "POST / HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\n\r\n", 405},
		{"endless head", "GET / HTTP/1.1\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 20), 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			go func() { _, _ = io.WriteString(conn, c.request) }()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			if answer.StatusCode != c.status {
				t.Errorf("status %d, not %d", answer.StatusCode, c.status)
			}
			for _, h := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} {
				if v := answer.Header.Get(h); v != "" {
					t.Errorf("%s: %s", h, v)
				}
			}
		})
	}
}

func TestPeersThatSayNothingCannotKeepOthersOut(t *testing.T) {
	lp := startLoop(t, StdNet, LoopConfig{}, newRecorder(t))
	ln := startListener(t, lp, ListenConfig{MaxHandshakes: 2, HandshakeTimeout: time.Hour})
	for range 5 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	login(t, ln, 0)
}

func TestHandshakesThatTakeTooLongAreCutOff(t *testing.T) {
	lp := startLoop(t, StdNet, LoopConfig{}, newRecorder(t))
	ln := startListener(t, lp, ListenConfig{HandshakeTimeout: 50 * time.Millisecond})
	mute, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	_ = mute.SetDeadline(time.Now().Add(patience))
	if _, err := mute.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("before the handshake: %v", err)
	}
	c := connect(t, ln, 0) // and no credentials
	if c.ended(); c.end == nil {
		t.Error("after the handshake: still open")
	}
}

func TestListenerBoundsItsLinks(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		lp := startLoop(t, b, LoopConfig{}, r)
		ln := startListener(t, lp, ListenConfig{MaxLinks: 2})
		first := login(t, ln, 0)
		login(t, ln, 0)
		third, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = third.Close() }()
		_ = third.SetDeadline(time.Now().Add(patience))
		if _, err := third.Read(make([]byte, 1)); err == nil {
			t.Error("the third was served")
		}
		_ = first.conn.Close()
		r.fall(r.link(0))
		r.await("room again", func() bool { return ln.Links() == 1 })
		login(t, ln, 0)
	})
}

func TestClosingAListenerLeavesItsLinks(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		r := newRecorder(t)
		r.packets = echo
		_, ln := listening(t, b, LoopConfig{}, r)
		c, half := login(t, ln, 0), connect(t, ln, 0)
		for range 2 {
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if half.ended(); half.end == nil {
			t.Error("a handshake outlived its listener")
		}
		c.send(c.ilp(btp.TypeMessage, 4, []byte("prepare")))
		if p := c.next(); p.RequestID() != 4 {
			t.Errorf("answer to %d", p.RequestID())
		}
	})
}

func TestEqualTokenComparesOctets(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"secret", "secret", true}, {"secret", "Secret", false}, {"secret", "secret ", false}, {"", "x", false}} {
		if EqualToken([]byte(c.a), []byte(c.b)) != c.want {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}
