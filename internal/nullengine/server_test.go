package nullengine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"reflect"
	"testing"
	"time"
)

// requests returns n requests with the ids 1 to n.
func requests(n int) []byte {
	b := make([]byte, n*RequestLen)
	for i := range n {
		binary.BigEndian.PutUint64(b[i*RequestLen:], uint64(i+1))
		b[(i+1)*RequestLen-1] = marker
	}
	return b
}

// checkAnswers fails unless b is n answers with the ids 1 to n.
func checkAnswers(t *testing.T, b []byte, n int) {
	t.Helper()
	if len(b) != n*AnswerLen {
		t.Fatalf("%d octets of answers, want %d", len(b), n*AnswerLen)
	}
	for i := range n {
		if id := binary.BigEndian.Uint64(b[i*AnswerLen:]); id != uint64(i+1) {
			t.Fatalf("answer %d has id %d", i+1, id)
		}
	}
}

func TestRequestsAreAnsweredWhereverTheReadSplitsThem(t *testing.T) {
	all := requests(3)
	for first := 0; first <= len(all); first++ {
		for _, second := range []int{0, 1, idLen, RequestLen - 1, RequestLen, RequestLen + 1} {
			second = min(first+second, len(all))
			var tl tail
			var out []byte
			ok := true
			for _, part := range [][]byte{all[:first], all[first:second], all[second:]} {
				var partOK bool
				out, partOK = appendAnswers(out, &tl, part)
				ok = ok && partOK
			}
			if !ok {
				t.Fatalf("split at %d and %d: refused", first, second)
			}
			checkAnswers(t, out, 3)
		}
	}
}

func TestOctetsThatAreNoRequestCloseTheLink(t *testing.T) {
	srv, err := Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, bad := range []int{0, 1} { // as a whole request, and as one split by a read
		conn, err := net.Dial("tcp", srv.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 2*RequestLen)
		copy(b, requests(1))
		if bad == 1 {
			b = append(b, 0)
		}
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		// A reset instead of an end of file means the same: the link is gone.
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Fatalf("the link is still open: %v", err)
		}
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestServerAnswersAnyClient(t *testing.T) {
	srv, err := Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	const n = 100
	if _, err := io.Copy(conn, bytes.NewReader(requests(n))); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, n*AnswerLen)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	checkAnswers(t, got, n)
	if srv.Messages() != n || srv.Writes() == 0 || srv.Writes() > n {
		t.Errorf("%d messages in %d writes, want %d in 1 to %d", srv.Messages(), srv.Writes(), n, n)
	}
	if err := srv.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := net.Dial("tcp", srv.Addr()); err == nil {
		t.Error("the port still answers after Close")
	}
}

func TestAnswersAllocateNothing(t *testing.T) {
	all := requests(64)
	out := make([]byte, 0, 64*AnswerLen)
	var tl tail
	if n := testing.AllocsPerRun(100, func() {
		out, _ = appendAnswers(out[:0], &tl, all)
	}); n != 0 {
		t.Errorf("%v allocations for 64 requests", n)
	}
}

func TestConfigIsRefusedByFieldName(t *testing.T) {
	for _, c := range []Config{{Links: -1}, {Links: maxLinks + 1}, {Window: -1}, {Window: maxWindow + 1}, {Duration: -1}, {CPUs: []int{0}}} {
		if _, err := c.withDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c, err := Config{}.withDefaults()
	if want := (Config{Links: 8, Window: 256, Duration: time.Second}); !reflect.DeepEqual(c, want) || err != nil {
		t.Errorf("defaults %+v, %v", c, err)
	}
}
