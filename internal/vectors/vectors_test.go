package vectors

import (
	"encoding/json"
	"os"
	"testing"
)

func TestEveryFileNamesTheScriptThatMadeIt(t *testing.T) {
	names := Names()
	if len(names) != 14 {
		t.Errorf("there are %d files: %q", len(names), names)
	}
	for _, name := range names {
		v := Load[struct {
			GeneratedBy string
			Reference   any
		}](t, name)
		if _, err := os.Stat(v.GeneratedBy); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v.Reference == nil {
			t.Errorf("%s does not say which implementation made it", name)
		}
	}
}

func TestTypesFindTheirVectors(t *testing.T) {
	// A misspelt field would decode to nothing and make its tests pass.
	count := func(name string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d entries, want %d", name, got, want)
		}
	}
	oer := Load[OER](t, "oer.json")
	count("oer", len(oer.VarOctetEncode)+len(oer.VarUIntEncode)+len(oer.FixedEncode)+len(oer.VarOctetDecode)+len(oer.VarUIntDecode), 115)
	ilp := Load[ILPPackets](t, "ilp_packets.json")
	count("ilp", len(ilp.Prepares)+len(ilp.Fulfills)+len(ilp.Rejects)+len(ilp.Decode)+len(ilp.Addresses), 149)
	stream := Load[StreamPackets](t, "stream_packets.json")
	count("stream", len(stream.Encode)+len(stream.Decode), 135)
	btp := Load[BTP](t, "btp.json")
	count("btp", len(btp.Encode)+len(btp.Decode), 42)
	ildcp := Load[ILDCP](t, "ildcp.json")
	count("ildcp", len(ildcp.Responses)+len(ildcp.DecodeResponse)+len(ildcp.DecodeRequest), 14)
	ccp := Load[CCP](t, "ccp.json")
	count("ccp", len(ccp.Control)+len(ccp.Update), 4)
	receipts := Load[Receipts](t, "receipts.json")
	count("receipts", len(receipts.Valid)+len(receipts.RejectedCreate)+len(receipts.Verify), 17)
}

func TestHexAndUintRefuseWhatTheyAreNot(t *testing.T) {
	for _, text := range []string{`1`, `"0"`, `"zz"`} {
		var h Hex
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("Hex accepts %s", text)
		}
	}
	for _, text := range []string{`1`, `"-1"`, `""`, `"18446744073709551616"`} {
		var u Uint
		if err := json.Unmarshal([]byte(text), &u); err == nil {
			t.Errorf("Uint accepts %s", text)
		}
	}
}

func TestOctetsAreHexOrALength(t *testing.T) {
	var o Octets
	if err := json.Unmarshal([]byte(`"00ff"`), &o); err != nil {
		t.Fatal(err)
	}
	if !o.Equal([]byte{0, 0xff}) || o.Equal([]byte{0, 0xfe}) || o.Equal([]byte{0}) {
		t.Errorf("00ff is %+v", o)
	}
	if err := json.Unmarshal([]byte(`"(3 bytes)"`), &o); err != nil {
		t.Fatal(err)
	}
	if !o.Equal(make([]byte, 3)) || o.Equal(make([]byte, 2)) {
		t.Errorf("(3 bytes) is %+v", o)
	}
	if err := json.Unmarshal([]byte(`"three"`), &o); err == nil {
		t.Error("Octets accepts a word")
	}
}

// fakeTB counts complaints and keeps the cleanup for itself.
type fakeTB struct {
	testing.TB
	errors  int
	cleanup func()
}

func (f *fakeTB) Helper()               {}
func (f *fakeTB) Errorf(string, ...any) { f.errors++ }
func (f *fakeTB) Cleanup(fn func())     { f.cleanup = fn }

func TestCheckerHoldsTheListToTheTruth(t *testing.T) {
	for _, c := range []struct {
		name   string
		listed Differences
		cases  map[string]string
		want   int
	}{
		{"agreement", nil, map[string]string{"a": ""}, 0},
		{"listed difference", Differences{"a": "because"}, map[string]string{"a": "differs"}, 0},
		{"difference not listed", nil, map[string]string{"a": "differs"}, 1},
		{"row that no longer differs", Differences{"a": "because"}, map[string]string{"a": ""}, 1},
		{"row that names nothing", Differences{"b": "because"}, map[string]string{"a": ""}, 1},
		{"row without a reason", Differences{"a": ""}, map[string]string{"a": "differs"}, 1},
	} {
		tb := &fakeTB{TB: t}
		checker := c.listed.Check(tb)
		for name, difference := range c.cases {
			checker.Case(name, difference)
		}
		tb.cleanup()
		if tb.errors != c.want {
			t.Errorf("%s: %d complaints, want %d", c.name, tb.errors, c.want)
		}
	}
}
