package engine

import (
	"runtime"
	"testing"

	"github.com/millrace-ilp/millrace/engine/stream"
)

// Sixty thousand packets, there and back over sockets: what is allocated is for
// calls and the growth of tables, not for packets.
func TestPacketsDoNotAllocate(t *testing.T) {
	w := newWorld(t, Config{Loops: 1}, ServerConfig{Options: stream.Options{ReceiveMax: 1e9}})
	client, _ := w.connect(t, stream.Options{MaxPacketAmount: 1})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.SendTotal(w.ctx, 20_000); err != nil { // tables grow
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := st.SendTotal(w.ctx, 80_000); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if perPacket := float64(after.Mallocs-before.Mallocs) / 60_000; perPacket > 0.2 {
		t.Errorf("%.2f allocations a packet", perPacket)
	} else {
		t.Logf("%.3f allocations a packet", perPacket)
	}
}
