package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// At most so many cases at a time: each is three processes, and a busy machine
// turns slowness into time-outs.
const atOnce = 2

func TestInterop(t *testing.T) {
	touchSources(t)
	slots := make(chan struct{}, atOnce)
	for _, on := range []pairing{server, client, both, none} {
		t.Run(string(on), func(t *testing.T) {
			for _, c := range cases {
				if !slices.Contains(c.pairings(), on) {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					slots <- struct{}{}
					defer func() { <-slots }()
					for _, problem := range pay(c, on) {
						t.Error(problem)
					}
				})
			}
		})
	}
}

// pay runs one case and returns what was wrong.
func pay(c testCase, on pairing) (found problems) {
	var running []*process
	defer func() {
		for _, p := range running {
			p.kill()
			found = append(found, p.bad...)
		}
		if len(found) > 0 {
			for _, p := range running {
				if s := p.complaint(); s != "" {
					found = append(found, p.name+" complained: "+s)
				}
			}
		}
	}()
	begin := func(name string, command ...string) (*process, error) {
		p, err := start(name, command[0], command[1:]...)
		if err == nil {
			running = append(running, p)
		}
		return p, err
	}
	o, err := c.run(on, begin)
	if err != nil {
		return problems{err.Error()}
	}
	c.check(&found, o)
	if ours := on == client || on == both; ours && (o.exitCode == 0) != o.result.OK {
		found = append(found, fmt.Sprintf("alice says ok=%t and exits with %d", o.result.OK, o.exitCode))
	}
	if on == both && o.result.OK && len(o.events("close")) == 0 {
		found = append(found, "alice is done, and bob never closed")
	}
	if len(found) > 0 && o.result.Error+o.result.ConnectionError+o.stream().Error != "" {
		found = append(found, fmt.Sprintf("alice said: %s %s %s", o.result.Error, o.result.ConnectionError, o.stream().Error))
	}
	return found
}

// run starts connector, bob and alice, waits for alice's result and bob's close,
// stops all three, and gathers what they said.
func (c testCase) run(on pairing, begin func(string, ...string) (*process, error)) (o outcome, err error) {
	hub, err := begin("connector", slices.Concat(peer("js-hub.mjs"), []string{"--port", "0", "--open", "--stdin"}, strings.Fields(c.hub))...)
	if err != nil {
		return o, err
	}
	listening, err := hub.wait("ready", func(l line) bool { return l.Ready }, 10*time.Second)
	if err != nil {
		return o, err
	}
	url := func(name string) []string {
		return []string{"--btp-url", fmt.Sprintf("btp+ws://%s:tok@127.0.0.1:%d", name, listening.Port)}
	}

	bob, err := begin("bob", slices.Concat(c.receiverCommand(on), url("bob"), strings.Fields(c.receive))...)
	if err != nil {
		return o, err
	}
	ready, err := bob.wait("ready", event("ready"), 10*time.Second)
	if err != nil {
		return o, err
	}

	to, secret := ready.DestinationAccount, ready.SharedSecret
	if c.destination != nil {
		to = c.destination(to)
	}
	if c.secret != "" {
		secret = c.secret
	}
	credentials := []string{"--dest", to, "--secret", secret}
	if c.spsp {
		credentials = []string{"--pointer", ready.SPSP}
	}
	flags := slices.Concat(url("alice"), credentials, strings.Fields(c.send))
	if !slices.Contains(flags, "--timeout") {
		flags = append(flags, "--timeout", "20000")
	}
	alice, err := begin("alice", slices.Concat(c.senderCommand(on), flags)...)
	if err != nil {
		return o, err
	}
	if o.result, err = alice.wait("result", event("result"), 40*time.Second); err != nil {
		return o, err
	}
	select { // it ends by itself, and its status is part of what it says
	case <-alice.ended:
	case <-time.After(5 * time.Second):
		return o, fmt.Errorf("alice goes on after her result")
	}
	o.exitCode = alice.cmd.ProcessState.ExitCode()

	// Bob has usually closed by now. That he may not have is for the check: he
	// may have had no connection at all.
	_, _ = bob.wait("close", event("close"), 1500*time.Millisecond)
	bob.stop(3 * time.Second)
	hub.stop(3 * time.Second)
	o.server, _ = bob.find(all)
	o.hub, _ = hub.find(all)
	o.stats, err = hub.wait("stats", func(l line) bool { return l.Stats }, 0)
	return o, err
}

func all(line) bool { return true }

func (c testCase) receiverCommand(on pairing) []string {
	switch {
	case c.receiver != "":
		return peer(c.receiver)
	case on == server || on == both:
		return []string{programs.millrace, "receive"}
	}
	return peer("js-server.mjs")
}

func (c testCase) senderCommand(on pairing) []string {
	switch {
	case c.sender != "":
		return peer(c.sender)
	case on == client || on == both:
		return []string{programs.millrace, "send"}
	}
	return peer("js-client.mjs")
}

func peer(script string) []string {
	return []string{programs.node, filepath.Join(peersDir, script)}
}
