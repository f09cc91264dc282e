package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/codec/frame"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// dataPair is two engines of one loop each with a socket between them, and a
// connection over it.
func dataPair(t testing.TB, cfg Config, client, server stream.Options) (ctx context.Context, out, in Connection) {
	t.Helper()
	return pairOver(t, cfg, 0, client, server)
}

// pairOver is dataPair with a path in between that is so long one way.
func pairOver(t testing.TB, cfg Config, oneWay time.Duration, client, server stream.Options) (ctx context.Context, out, in Connection) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	parent, child := newEngine(t, cfg), newEngine(t, cfg)
	ln, err := parent.ListenBTP("127.0.0.1:0", ListenConfig{
		Address: "test.parent", AssetCode: "XRP", AssetScale: 9, Tokens: map[string]string{"alice": "secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := ln.Listen(ServerConfig{Options: server})
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if oneWay > 0 {
		addr = newDelayer(t, addr, oneWay)
	}
	link, err := child.DialBTP(ctx, "btp+ws://alice:secret@"+addr, LinkConfig{})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := srv.Credentials(stream.CredentialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = link.Connect(ctx, creds.Address, creds.Secret, ConnectConfig{Options: client}); err != nil {
		t.Fatal(err)
	}
	hello, err := out.OpenStream() // so that the server hears of the connection
	if err != nil {
		t.Fatal(err)
	}
	if _, err = hello.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if in, err = srv.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err = in.AcceptStream(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, out, in
}

// numbered is octets of which every eight tell their offset, so that none can be
// lost, doubled or out of order unseen.
type numbered struct{ at uint64 }

func (n *numbered) fill(p []byte) {
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], n.at*0x9e3779b97f4a7c15)
		n.at++
	}
}

// check takes octets in whatever pieces they come.
type checker struct {
	at   uint64
	want [8]byte
}

func (c *checker) check(p []byte) bool {
	for len(p) > 0 {
		if c.at%8 == 0 && len(p) >= 8 {
			if binary.LittleEndian.Uint64(p) != c.at/8*0x9e3779b97f4a7c15 {
				return false
			}
			p, c.at = p[8:], c.at+8
			continue
		}
		binary.LittleEndian.PutUint64(c.want[:], c.at/8*0x9e3779b97f4a7c15)
		if p[0] != c.want[c.at%8] {
			return false
		}
		p, c.at = p[1:], c.at+1
	}
	return true
}

// carry sends so many octets over one stream, with one goroutine that writes and
// one that reads, and checks every one of them.
func carry(ctx context.Context, t testing.TB, out, in Connection, octets, block int) {
	t.Helper()
	st, err := out.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() {
		var n numbered
		block := make([]byte, block)
		for sent := 0; sent < octets; sent += len(block) {
			n.fill(block)
			if _, err := st.Write(block); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- st.Close()
	}()
	peer, err := in.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var c checker
	p := make([]byte, 256<<10)
	for {
		n, err := peer.Read(p)
		if !c.check(p[:n]) {
			t.Fatalf("other octets than were sent, within %d before %d", n, c.at)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if c.at != uint64(octets) {
		t.Fatalf("%d octets arrived of %d", c.at, octets)
	}
}

var long = flag.Bool("long", false, "carry a gibibyte, not 64 MiB")

func TestOctetsArriveInOrderAndIntact(t *testing.T) {
	octets := 64 << 20
	if *long {
		octets = 1 << 30
	}
	for name, cfg := range map[string]Config{"gnet": {Loops: 1}, "net": {Loops: 1, StdNet: true}} {
		t.Run(name, func(t *testing.T) {
			ctx, out, in := dataPair(t, cfg, stream.Options{}, stream.Options{})
			carry(ctx, t, out, in, octets, 64<<10)
		})
	}
}

// A Write longer than every buffer and window is one call for its caller.
func TestOneWriteLongerThanAllBuffers(t *testing.T) {
	ctx, out, in := dataPair(t, Config{Loops: 1}, stream.Options{}, stream.Options{})
	carry(ctx, t, out, in, 24<<20, 24<<20)
}

func TestCopyingToAndFromAStream(t *testing.T) {
	ctx, out, in := dataPair(t, Config{Loops: 1}, stream.Options{}, stream.Options{})
	st, err := out.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 3<<20)
	new(numbered).fill(want)
	copied := make(chan error, 1)
	go func() {
		if n, err := io.Copy(st, bytes.NewReader(want)); n != int64(len(want)) || err != nil {
			copied <- fmt.Errorf("%d octets, %w", n, err)
			return
		}
		copied <- st.Close()
	}()
	peer, err := in.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if n, err := io.Copy(&got, peer); n != int64(len(want)) || err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("%d octets arrived, %v", n, err)
	}
	if err := <-copied; err != nil {
		t.Fatal(err)
	}
	if n, err := st.ReadFrom(bytes.NewReader(want)); n != 0 || !isClosed(err) {
		t.Errorf("behind the end %d octets are taken, %v", n, err)
	}
}

// lazy takes half of what it is given and says nothing of it.
type lazy struct{}

func (lazy) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestCopyFromAStreamNoticesAShortWrite(t *testing.T) {
	ctx, out, in := dataPair(t, Config{Loops: 1}, stream.Options{}, stream.Options{})
	st, err := out.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	peer, err := in.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(lazy{}, peer); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("half of the octets are lost, and the copy says %v", err)
	}
}

// waiting is a stream whose writer has filled all buffers and whose peer's reader
// waits for octets of the other way.
func waiting(t *testing.T) (ctx context.Context, st, peer Stream, read, wrote chan error) {
	t.Helper()
	ctx, out, in := dataPair(t, Config{Loops: 1}, stream.Options{}, stream.Options{})
	st, err := out.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	read, wrote = make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := st.Write(make([]byte, 64<<20))
		wrote <- err
	}()
	if peer, err = in.AcceptStream(ctx); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := st.Read(make([]byte, 8192))
		read <- err
	}()
	held := func() (both bool) {
		_ = st.s.c.s.call(func() { both = st.s.reader != nil && st.s.writer != nil })
		return both
	}
	for !held() {
		if ctx.Err() != nil {
			t.Fatal("they never waited")
		}
	}
	return ctx, st, peer, read, wrote
}

func TestWaitingReadAndWriteEndWithTheirStream(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(st, peer Stream) error
		want func(error) bool
	}{
		"destroyed here":        {func(st, _ Stream) error { return st.Destroy(frame.ApplicationError, "enough") }, isClosed},
		"destroyed by the peer": {func(_, peer Stream) error { return peer.Destroy(frame.ApplicationError, "enough") }, isClosed},
		"with the connection":   {func(st, _ Stream) error { return Connection{st.s.c}.Destroy(frame.InternalError, "") }, isClosed},
		"with the engine": {func(st, _ Stream) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = st.s.c.s.e.Close(ctx)
			return nil
		}, func(err error) bool { return errors.Is(err, ErrClosed) || errors.Is(err, ErrEngineClosed) }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, st, peer, read, wrote := waiting(t)
			if err := test.end(st, peer); err != nil {
				t.Fatal(err)
			}
			for what, c := range map[string]chan error{"Read": read, "Write": wrote} {
				select {
				case err := <-c:
					if !test.want(err) {
						t.Errorf("%s: %v", what, err)
					}
				case <-ctx.Done():
					t.Fatalf("%s waits still", what)
				}
			}
		})
	}
}

func isClosed(err error) bool {
	var closed *CloseError
	return errors.As(err, &closed)
}
