package profiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEveryFileIsAGoodProfile(t *testing.T) {
	names := Names()
	if len(names) == 0 {
		t.Fatal("no profile is embedded")
	}
	for _, name := range names {
		p, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p.Name != name {
			t.Errorf("%s.json calls itself %q", name, p.Name)
		}
		if p.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

func TestTheDefaultIsTheMainJob(t *testing.T) {
	p, err := Load(Default)
	if err != nil {
		t.Fatal(err)
	}
	if p.Links != 8 || p.Connections != 10_000 || p.Window != 256 || p.Duration != Duration(10*time.Second) {
		t.Errorf("got %+v: published figures are for 8 links, 10,000 connections, window 256, 10 s", p)
	}
}

func TestAnUnknownNameIsAnsweredWithTheKnownOnes(t *testing.T) {
	_, err := Load("nonesuch")
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), Default) {
		t.Errorf("got %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	good, err := Load(Default)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field string
		spoil func(*Profile)
	}{
		{"links", func(p *Profile) { p.Links = 0 }},
		{"links", func(p *Profile) { p.Links = MaxLinks + 1 }},
		{"connections", func(p *Profile) { p.Connections = p.Links - 1 }},
		{"connections", func(p *Profile) { p.Connections = MaxConnections + 1 }},
		{"window", func(p *Profile) { p.Window = 0 }},
		{"packet_amount", func(p *Profile) { p.PacketAmount = 0 }},
		{"duration", func(p *Profile) { p.Duration = 0 }},
		{"warm_up", func(p *Profile) { p.WarmUp = -1 }},
	} {
		p := good
		c.spoil(&p)
		content, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(content); !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), c.field) {
			t.Errorf("bad %s: got %v", c.field, err)
		}
	}
	if _, err := Parse([]byte(`{"name":"x","conections":5}`)); !errors.Is(err, ErrProfile) {
		t.Errorf("a misspelt field: got %v", err)
	}
}

func TestAProfileSurvivesJSON(t *testing.T) {
	want, err := Load(Default)
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(content); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// TestProfileGuidesEveryCommandAlike: -pgo=auto looks beside each main package only, so
// there are copies of the master.
func TestProfileGuidesEveryCommandAlike(t *testing.T) {
	master, err := os.ReadFile("default.pgo")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"../loadgen", "../cmd/millrace"} {
		copied, err := os.ReadFile(filepath.Join(dir, "default.pgo"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(copied, master) {
			t.Errorf("%s/default.pgo is not profiles/default.pgo: make pgo refreshes all", dir)
		}
	}
}
