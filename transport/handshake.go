package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	upgrade "github.com/gobwas/ws"

	"github.com/millrace-ilp/millrace/pool"
	"github.com/millrace-ilp/millrace/transport/session"
)

const (
	// maxRequest bounds a WebSocket handshake's head.
	maxRequest = 8 << 10
	// drainTime is how long a peer that we refused may take to go away.
	drainTime = 2 * time.Second
)

var errHead = errors.New("transport: handshake is not an HTTP head of at most 8 KiB")

// acceptWebSocket answers a WebSocket handshake on conn, which has a deadline. It
// returns what the peer sent behind it.
//
// The upgrader reads through a buffer of its own and would swallow what follows
// the head, so it is given exactly the head.
func acceptWebSocket(conn net.Conn, paths []string) (rest []byte, err error) {
	head, rest, err := readHead(conn)
	if err != nil {
		if errors.Is(err, errHead) {
			_, _ = io.WriteString(conn, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}
		return nil, err
	}
	var answer bytes.Buffer
	u := upgrade.Upgrader{
		OnRequest: func(uri []byte) error {
			if path, _, _ := strings.Cut(string(uri), "?"); len(paths) > 0 && !slices.Contains(paths, path) {
				return upgrade.RejectConnectionError(upgrade.RejectionStatus(http.StatusNotFound), upgrade.RejectionReason("no BTP here"))
			}
			return nil
		},
	}
	_, refused := u.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(head), &answer})
	if _, err := conn.Write(answer.Bytes()); err != nil {
		return nil, err
	}
	if refused != nil {
		return nil, fmt.Errorf("transport: WebSocket handshake: %w", refused)
	}
	return rest, nil
}

// readHead reads up to and with the first empty line.
func readHead(conn net.Conn) (head, rest []byte, err error) {
	buf := make([]byte, 0, maxRequest)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		from := max(0, len(buf)-3)
		buf = buf[:len(buf)+n]
		if i := bytes.Index(buf[from:], []byte("\r\n\r\n")); i >= 0 {
			end := from + i + 4
			return buf[:end:end], buf[end:], nil
		}
		switch {
		case err != nil:
			return nil, nil, err
		case len(buf) == cap(buf):
			return nil, nil, errHead
		}
	}
}

// dialWebSocket connects and makes a WebSocket handshake, within ctx. It returns
// what the peer sent behind it.
func dialWebSocket(ctx context.Context, t target) (conn net.Conn, rest []byte, err error) {
	var d net.Dialer
	if conn, err = d.DialContext(ctx, "tcp", t.addr); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	br, _, err := upgrade.Dialer{}.Upgrade(conn, t.ws)
	if br != nil {
		rest, _ = br.Peek(br.Buffered())
		rest = bytes.Clone(rest)
		upgrade.PutReader(br)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, nil, fmt.Errorf("transport: WebSocket handshake: %w", err)
	}
	return conn, rest, nil
}

// exchange feeds the session, first with early, then with what conn has to say,
// until it is past the state Waiting. It writes what the session wants to say
// meanwhile. It returns what was read and not used.
func exchange(conn net.Conn, s *session.Session, keys *rand.ChaCha8, early []byte) (rest []byte, err error) {
	for {
		if len(early) > 0 {
			s.Feed(time.Now().UnixNano(), early)
			if s.Advance() != session.Waiting {
				return s.Rest(), nil
			}
		}
		if err := send(conn, s, keys); err != nil {
			return nil, err
		}
		// Fresh memory each time: what the session says of credentials points
		// into it.
		early = make([]byte, 4<<10)
		n, err := conn.Read(early)
		if early = early[:n]; n == 0 && err != nil {
			return nil, err
		}
	}
}

// send writes the session's output to conn.
func send(conn net.Conn, s *session.Session, keys *rand.ChaCha8) error {
	var room [4]*pool.Buf
	var failed error
	for _, c := range s.Out.Take(room[:0]) {
		if failed == nil {
			s.MaskOut(c.B, keys)
			_, failed = conn.Write(c.B)
		}
		c.Release()
	}
	return failed
}

// sayAndLeave writes the session's last words and waits a little for the peer to
// hear them: closing with unread octets would take them back.
func sayAndLeave(conn net.Conn, s *session.Session, keys *rand.ChaCha8) {
	_ = conn.SetDeadline(time.Now().Add(drainTime))
	if send(conn, s, keys) == nil {
		leave(conn)
	}
	s.Release()
}

// leave ends what we have to say on conn, and reads a little of what the peer
// still says.
func leave(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(drainTime))
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, conn, 64<<10)
}
