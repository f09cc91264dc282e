package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// The wallet is built and run as a newcomer would. It has room for 50,000: a packet of
// 90,000 is refused, and takes nothing of what the next payments fill to the last unit.
func TestARefusedPacketLeavesTheRoomUsable(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "wallet"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	journal := filepath.Join(dir, "journal")
	if err := os.WriteFile(journal, []byte(`{"connection":"00","stream":1,"sequence":1,"amount":950000}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	page, btp := start(t, filepath.Join(dir, "wallet"), "-btp", "127.0.0.1:0", "-spsp", "127.0.0.1:0", "-journal", journal)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	eng, err := engine.New(engine.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close(ctx)
	link, err := eng.DialBTP(ctx, btp, engine.LinkConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		amount stream.Amount
		fits   bool
	}{{90_000, false}, {1000, true}, {90_000, false}, {49_000, true}, {1, false}} {
		sent, err := pay(ctx, link, page, c.amount)
		switch {
		case c.fits && (err != nil || sent != c.amount):
			t.Errorf("of %d, which fits, %d was sent: %v", c.amount, sent, err)
		case !c.fits && (err == nil || sent != 0 || !strings.Contains(err.Error(), "full")):
			t.Errorf("of %d, which does not fit, %d was sent: %v", c.amount, sent, err)
		}
	}
}

// What the journal takes back was never paid.
func TestAVoidGivesTheRoomBack(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.f.Close()
	j.room.Store(100)
	if !j.take(100) || j.take(1) {
		t.Error("there was room for 100")
	}
	for _, c := range []stream.Credit{{Amount: 100}, {Amount: 100, Void: true}} {
		if err := j.Commit(0, []stream.Credit{c}); err != nil {
			t.Fatal(err)
		}
	}
	if j.balance.Load() != 0 || !j.take(100) {
		t.Errorf("has %d, and room for %d", j.balance.Load(), j.room.Load())
	}
}

// start runs the wallet, and returns where it is paid.
func start(t *testing.T, name string, args ...string) (page, link string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if n, _ := fmt.Sscanf(line, "has 950000; pay %s over %s", &page, &link); n != 2 {
		t.Fatalf("the wallet said %q: %v", line, err)
	}
	return page, link
}

// pay pays an amount on a connection of its own.
func pay(ctx context.Context, link *engine.Link, page string, amount stream.Amount) (stream.Amount, error) {
	d, err := spsp.Query(ctx, nil, page)
	if err != nil {
		return 0, err
	}
	conn, err := link.Connect(ctx, d.Address, d.Secret, engine.ConnectConfig{})
	if err != nil {
		return 0, err
	}
	st, err := conn.OpenStream()
	if err != nil {
		return 0, err
	}
	sent, err := st.SendTotal(ctx, amount)
	return sent, errors.Join(err, conn.Close(ctx))
}
