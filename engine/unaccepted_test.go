package engine

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// A server may accept connections and none of their streams, as one that only counts
// money does. Its payers must not fill its memory.
func TestOctetsOfUnacceptedStreamsAreBounded(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{})
	client, server := w.connect(t, stream.Options{})
	block := make([]byte, 48<<10)
	const streams = 2 * maxUnaccepted / (48 << 10)
	for range streams {
		st, err := client.OpenStream()
		for errors.Is(err, stream.ErrStreamIDs) {
			time.Sleep(time.Millisecond)
			st, err = client.OpenStream()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Write(block); err != nil {
			t.Fatal(err)
		}
		_ = st.Close()
		select {
		case <-st.Done():
		case <-w.ctx.Done():
			t.Fatal("a stream does not end")
		}
	}
	shard := server.c.s
	if n := shard.unaccepted.Load(); n > maxUnaccepted || n < maxUnaccepted/2 {
		t.Errorf("%d octets wait, the bound is %d", n, maxUnaccepted)
	}
	whole, dropped := 0, 0
	for range streams {
		st, err := server.AcceptStream(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		<-st.Done()
		switch b, err := io.ReadAll(st); {
		case err == nil && len(b) == len(block):
			whole++
		case errors.Is(err, ErrClosed) && len(b) == 0:
			dropped++
		default:
			t.Fatalf("%d octets of %d, %v", len(b), len(block), err)
		}
	}
	if whole < maxUnaccepted/2/len(block) || dropped == 0 {
		t.Errorf("%d streams were whole, %d dropped", whole, dropped)
	}
	if n := shard.unaccepted.Load(); n != 0 {
		t.Errorf("%d octets are counted for nobody", n)
	}
}
