package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A wallet that ends in order, then one that is killed, then nobody: the two
// programs are built and run as a newcomer would, and their figures agree.
func TestMonetizePaysAWalletThatComesAndGoes(t *testing.T) {
	if _, err := os.Stat("../wallet/main.go"); err != nil { // also tells go test on what this depends
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), ".", "../wallet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	journal := filepath.Join(dir, "journal")
	wallet := func(btp, web, life string) (p *program, has int64, page, link string) {
		p = start(t, filepath.Join(dir, "wallet"), "-btp", btp, "-spsp", web, "-journal", journal, "-for", life)
		line := p.wait(t, `^has (\d+); pay (\S+) over (\S+)$`)
		_, _ = fmt.Sscan(line[1], &has)
		return p, has, line[2], line[3]
	}
	first, has, page, link := wallet("127.0.0.1:0", "127.0.0.1:0", "1s")
	if has != 0 {
		t.Errorf("a new wallet has %d", has)
	}
	_, btp, _ := strings.Cut(link, "@")
	web := strings.TrimSuffix(strings.TrimPrefix(page, "http://"), "/alice")

	payer := start(t, filepath.Join(dir, "monetize"), "-page", page, "-btp", link, "-for", "3s")
	payer.wait(t, `^sent [1-9]\d*, in doubt \d+: .*NoError`) // the first wallet has closed in order
	first.end(t)
	afterFirst := balance(t, journal)
	if afterFirst == 0 || first.wait(t, `^has (\d+)$`)[1] != fmt.Sprint(afterFirst) {
		t.Errorf("the journal has %d; the wallet said\n%s", afterFirst, first.text())
	}

	second, has, _, _ := wallet(btp, web, "1m")
	if has != afterFirst {
		t.Errorf("has %d after the restart, want %d", has, afterFirst)
	}
	for end := time.Now().Add(10 * time.Second); balance(t, journal) == afterFirst; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing is paid to the second wallet:\n%s", payer.text())
		}
	}
	_ = second.cmd.Process.Kill()

	payer.end(t)
	var sent, doubt int64
	all := payer.find(`^sent (\d+), in doubt (\d+)`)
	last := all[len(all)-1]
	_, _ = fmt.Sscan(last[1], &sent)
	_, _ = fmt.Sscan(last[2], &doubt)
	got := balance(t, journal)
	if got <= afterFirst || got < sent || got > sent+doubt {
		t.Errorf("the wallets have %d, %d of it in the first; the payer said\n%s", got, afterFirst, payer.text())
	}
	if sent+doubt > 3*2000+2 {
		t.Errorf("sent %d and %d in 3 seconds, at 2000 a second", sent, doubt)
	}

	// A crash may cut the last line short: what it was about was never fulfilled.
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"connection":"00","amount":70000`)
	f.Close()
	third, has, _, _ := wallet("127.0.0.1:0", "127.0.0.1:0", "1ms")
	if has != got {
		t.Errorf("has %d after the crash, want %d", has, got)
	}
	third.end(t)
}

// balance adds up the whole lines of a journal.
func balance(t *testing.T, name string) (sum int64) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var c struct{ Amount int64 }
		if json.Unmarshal(line, &c) == nil {
			sum += c.Amount
		}
	}
	return sum
}

// program is one of the examples, running.
type program struct {
	cmd   *exec.Cmd
	lines chan string
	seen  []string
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(name, args...), lines: make(chan string, 1000)}
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		w.Close()
		close(ended)
	}()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-ended
	})
	return p
}

func (p *program) text() string { return strings.Join(p.seen, "\n") }

// find returns the lines seen that match.
func (p *program) find(pattern string) (found [][]string) {
	re := regexp.MustCompile(pattern)
	for _, line := range p.seen {
		if m := re.FindStringSubmatch(line); m != nil {
			found = append(found, m)
		}
	}
	return found
}

// wait returns the first line that matches.
func (p *program) wait(t *testing.T, pattern string) []string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		if found := p.find(pattern); len(found) > 0 {
			return found[0]
		}
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("%s ended without %s:\n%s", p.cmd.Path, pattern, p.text())
			}
			p.seen = append(p.seen, line)
		case <-late:
			t.Fatalf("%s does not say %s:\n%s", p.cmd.Path, pattern, p.text())
		}
	}
}

// end waits for the end, which must be in order.
func (p *program) end(t *testing.T) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if ok {
				p.seen = append(p.seen, line)
				continue
			}
			if !p.cmd.ProcessState.Success() {
				t.Errorf("%s: %v\n%s", p.cmd.Path, p.cmd.ProcessState, p.text())
			}
			return
		case <-late:
			t.Fatalf("%s does not end:\n%s", p.cmd.Path, p.text())
		}
	}
}
