package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/transport"
)

// open is an engine that takes anybody, and one that dials it.
func openListener(t *testing.T, cfg ListenConfig) (dial func(name string) error, ln *Listener) {
	t.Helper()
	parent, child := newEngine(t, Config{Loops: 1}), newEngine(t, Config{Loops: 1})
	cfg.Address, cfg.Open = "test.parent", true
	ln, err := parent.ListenBTP("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := child.DialBTP(ctx, fmt.Sprintf("btp+ws://%s:token@%s", name, ln.Addr()), LinkConfig{NoReconnect: true})
		return err
	}, ln
}

func TestAccountsAreBoundedAndMakeRoom(t *testing.T) {
	dial, ln := openListener(t, ListenConfig{MaxAccounts: 3})
	for n := range 3 {
		if err := dial(fmt.Sprint("account", n)); err != nil {
			t.Fatal(err)
		}
	}
	var refused *transport.RefusedError
	if err := dial("one-more"); !errors.As(err, &refused) {
		t.Fatalf("a fourth account: %v", err)
	}
	if err := dial("account1"); err != nil {
		t.Fatalf("a second link of a known one: %v", err)
	}
	// An account without links makes room.
	ln.mu.Lock()
	for _, a := range ln.accounts {
		a.seen = time.Now().Add(-time.Hour)
		if a.name == "account2" {
			a.live.Store(0)
		}
	}
	ln.swept = time.Time{}
	ln.mu.Unlock()
	if err := dial("one-more"); err != nil {
		t.Fatalf("when there is room: %v", err)
	}
}

func TestLinksOfAnAccountAreBounded(t *testing.T) {
	dial, _ := openListener(t, ListenConfig{MaxLinksPerAccount: 2})
	for range 2 {
		if err := dial("alice"); err != nil {
			t.Fatal(err)
		}
	}
	if err := dial("alice"); err == nil {
		t.Fatal("a third link came up")
	}
	if err := dial("bob"); err != nil {
		t.Fatalf("another account: %v", err)
	}
}

func TestLongUsernamesAreRefused(t *testing.T) {
	dial, ln := openListener(t, ListenConfig{})
	if err := dial(strings.Repeat("a", maxUsername+1)); err == nil {
		t.Fatal("taken")
	}
	if len(ln.accounts) != 0 {
		t.Fatal("and remembered")
	}
}
