package transport

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	upgrade "github.com/gobwas/ws"

	"github.com/millrace-ilp/millrace/codec/btp"
)

func TestURLsAreReadAsOtherImplementationsDo(t *testing.T) {
	for _, c := range []struct{ url, user, token, addr, request string }{
		{"btp+ws://alice:secret@localhost:7768/some/path?x=1", "alice", "secret", "localhost:7768", "/some/path?x=1"},
		{"btp+ws://:secret@localhost:1", "", "secret", "localhost:1", "/"},
		{"btp+ws://localhost", "", "", "localhost:80", "/"},
		{"BTP+WS://a@h:1", "a", "", "h:1", "/"},
		{"btp+ws://al%40ice:s%2Fe@h:1/", "al%40ice", "s%2Fe", "h:1", "/"},
		{"btp+ws://a:b:c@h:1/#f", "a", "b:c", "h:1", "/"},
		{"btp+ws://a:p@ss@h:1?q=@", "a", "p@ss", "h:1", "/?q=@"},
		{"btp+ws://a:b@[::1]:9/x", "a", "b", "[::1]:9", "/x"},
	} {
		got, err := parseURL(c.url)
		if err != nil || got.username != c.user || got.token != c.token || got.addr != c.addr || got.ws.RequestURI() != c.request {
			t.Errorf("%s: %+v %v", c.url, got, err)
		}
	}
	for url, want := range map[string]error{
		"btp+wss://a:b@h": ErrWSS, "ws://h": ErrURL, "http://h": ErrURL, "h:1": ErrURL, "": ErrURL, "btp+ws://": ErrURL,
		"btp+ws://u:hunter2@h:x": ErrURL,
	} {
		_, err := parseURL(url)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the token: %v", err)
		}
	}
}

// sub is one sub-protocol, its data in hexadecimal.
type sub struct {
	ProtocolName string
	ContentType  uint8
	Data         string
}

// What the client of ilp-plugin-btp 1.5.0 sent when it connected, and we too.
func TestDialerSpeaksFirstAsIlpPluginBtpDoes(t *testing.T) {
	octets, err := os.ReadFile("../internal/vectors/btp_probes.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		ClientRuns []struct {
			Name, URL string
			Request   struct{ URL, Authorization, SubprotocolHeader *string }
			Frames    []struct {
				Packet *struct {
					ProtocolData []sub
				}
			}
		}
	}
	if err := json.Unmarshal(octets, &recorded); err != nil {
		t.Fatal(err)
	}
	// Deliberate differences: credentials and side protocols of options, which
	// we take from the URL alone (IL-RFC 0023, "Authentication": they are optional).
	skipped := map[string]bool{"options": true}
	for _, run := range recorded.ClientRuns {
		if skipped[run.Name] {
			delete(skipped, run.Name)
			continue
		}
		t.Run(run.Name, func(t *testing.T) {
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = inner.Close() }()
			heard := make(chan error, 1)
			go func() { heard <- hear(inner, *run.Request.URL, run.Frames[len(run.Frames)-1].Packet.ProtocolData) }()
			lp := startLoop(t, StdNet, LoopConfig{}, newRecorder(t))
			d, err := Dial(t.Context(), DialConfig{URL: strings.Replace(run.URL, "localhost:0", inner.Addr().String(), 1), Loop: lp})
			if err != nil {
				t.Errorf("Dial: %v", err)
			}
			if d != nil {
				_ = d.Close()
			}
			if err := <-heard; err != nil {
				t.Error(err)
			}
		})
	}
	if len(skipped) > 0 {
		t.Errorf("stale differences: %v", skipped)
	}
}

// hear accepts one link with gobwas/ws alone, and compares what the dialer says.
func hear(inner net.Listener, path string, subs []sub) error {
	conn, err := inner.Accept()
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	var asked string
	u := upgrade.Upgrader{
		OnRequest: func(uri []byte) error { asked = string(uri); return nil },
		OnHeader: func(key, value []byte) error {
			if string(key) == "Authorization" {
				return fmt.Errorf("authorization %s", value)
			}
			return nil
		},
		ProtocolCustom: func(v []byte) (string, bool) { asked += " protocol " + string(v); return "", true },
	}
	if _, err := u.Upgrade(conn); err != nil {
		return err
	}
	if asked != path {
		return fmt.Errorf("asked for %q, not %q", asked, path)
	}
	op, payload, err := frame(conn)
	if err != nil {
		return err
	}
	p, err := btp.Parse(payload)
	if err != nil || op != upgrade.OpBinary || p.Type() != btp.TypeMessage {
		return fmt.Errorf("first frame: opcode %d, %v, %w", op, p.Type(), err)
	}
	var got []sub
	for s := range p.SubProtocols() {
		got = append(got, sub{string(s.Name), s.ContentType, hex.EncodeToString(s.Data)})
	}
	if !slices.Equal(got, subs) {
		return fmt.Errorf("said %v, not %v", got, subs)
	}
	if err := upgrade.WriteFrame(conn, upgrade.NewBinaryFrame(btp.AppendResponse(nil, p.RequestID()))); err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if op, _, err = frame(conn); err != nil || op != upgrade.OpClose {
		return fmt.Errorf("last frame: opcode %d, %w", op, err)
	}
	return nil
}

// frame reads one frame of a dialer.
func frame(conn net.Conn) (upgrade.OpCode, []byte, error) {
	h, err := upgrade.ReadHeader(conn)
	if err != nil || !h.Masked || h.Length > 1<<16 {
		return 0, nil, fmt.Errorf("header %+v: %w", h, err)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(conn, payload)
	upgrade.Cipher(payload, h.Mask, 0)
	return h.OpCode, payload, err
}

// states collects what OnState is told.
type states struct {
	mu   sync.Mutex
	seen []string
	news chan struct{}
}

func newStates() *states { return &states{news: make(chan struct{}, 100)} }

func (s *states) on(state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := state.String()
	if state == StateDown && err == nil {
		line = "down for no reason"
	}
	s.seen = append(s.seen, line)
	s.news <- struct{}{}
}

func (s *states) await(t *testing.T, n int) []string {
	t.Helper()
	limit := time.After(patience)
	for {
		s.mu.Lock()
		seen := slices.Clone(s.seen)
		s.mu.Unlock()
		if len(seen) >= n {
			return seen
		}
		select {
		case <-s.news:
		case <-limit:
			t.Fatalf("only %q", seen)
		}
	}
}

func TestDialerBringsTheLinkBack(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		server, client := newRecorder(t), newRecorder(t)
		slp, ln := listening(t, b, LoopConfig{}, server)
		lp := startLoop(t, b, LoopConfig{}, client)
		seen := newStates()
		d := dialTo(t, lp, ln, DialConfig{Reconnect: true, OnState: seen.on, Context: 7})
		for i := range 2 {
			l := client.link(i)
			if l.Context() != 7 {
				t.Errorf("context %v", l.Context())
			}
			server.do(slp, func() { slp.drop(server.ups[i], errEnough) })
			client.fall(l)
			server.link(i + 1)
		}
		seen.await(t, 8)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{"connecting", "up", "down", "connecting", "up", "down", "connecting", "up", "down", "closed"}
		if got := seen.await(t, len(want)); !slices.Equal(got, want) {
			t.Errorf("states %q", got)
		}
		if d.Link() != nil {
			t.Error("a closed dialer has a link")
		}
	})
}

func TestDialerGivesUpWhenItShould(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		server, client := newRecorder(t), newRecorder(t)
		slp, ln := listening(t, b, LoopConfig{}, server)
		lp := startLoop(t, b, LoopConfig{}, client)
		once := dialTo(t, lp, ln, DialConfig{})
		server.do(slp, func() { slp.drop(server.ups[0], errEnough) })
		<-once.Done()
		seen := newStates()
		again := dialTo(t, lp, ln, DialConfig{Reconnect: true, OnState: seen.on})
		if err := lp.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		<-again.Done()
		if _, err := Dial(t.Context(), DialConfig{URL: "btp+ws://a:secret@" + ln.Addr().String(), Loop: lp}); !errors.Is(err, ErrLoopClosed) {
			t.Errorf("a closed loop: %v", err)
		}
	})
}

func TestDialReturnsTheErrorOfItsFirstAttempt(t *testing.T) {
	lp := startLoop(t, StdNet, LoopConfig{}, newRecorder(t))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	mute := DialConfig{URL: "btp+ws://a:b@" + addr, Loop: lp, DialTimeout: 50 * time.Millisecond, Reconnect: true}
	if _, err := Dial(t.Context(), mute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a peer that says nothing: %v", err)
	}
	go func() { // a WebSocket server that says nothing to credentials
		for {
			conn, err := free.Accept()
			if err != nil {
				return
			}
			_, _ = upgrade.Upgrade(conn)
		}
	}()
	mute.DialTimeout, mute.AuthTimeout = patience, 50*time.Millisecond
	if _, err := Dial(t.Context(), mute); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a peer that does not answer credentials: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(cancelled, mute); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	_ = free.Close()
	var refused *net.OpError
	if _, err := Dial(t.Context(), mute); !errors.As(err, &refused) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Dial(t.Context(), DialConfig{URL: "btp+wss://a:b@h", Loop: lp}); !errors.Is(err, ErrWSS) {
		t.Errorf("wss: %v", err)
	}
	if _, err := Dial(t.Context(), DialConfig{URL: "btp+ws://a:b@h"}); err == nil {
		t.Error("without a loop")
	}
}
