package session

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

// probes are what a listening ilp-plugin-btp 1.5.0 answered to raw messages, with
// the secret "secret".
type probes struct {
	Probes []struct {
		Name string
		Sent []struct{ Hex, Text string }
		Log  []struct {
			Step     int
			Received *struct {
				Type         int
				RequestID    uint32
				Code, Name   string
				Data         string
				ProtocolData []struct{ ProtocolName, Data string }
			}
			Closed int
		}
	}
}

// differences are the probes that we answer otherwise on purpose.
var differences = map[string]struct {
	got    []string // at the step where it differs and after
	reason string
}{
	"garbage instead of auth": {
		[]string{"1 close 1002"},
		"IL-RFC 0023, \"Error handling\": an unreadable packet is not answered; our close frame says why (RFC 6455 §7.4.1)",
	},
	"text frame instead of auth": {
		[]string{"1 close 1003"},
		"RFC 6455 §7.4.1: 1003 is for a type of data that an endpoint cannot accept",
	},
	"auth then garbage": {
		[]string{"1 Response 7", "2 close 1002"},
		"as garbage instead of auth",
	},
	"auth then unused type 3": {
		[]string{"1 Response 7", "2 close 1002"},
		"as garbage instead of auth",
	},
	"auth then invalid JSON side protocol": {
		[]string{"1 Response 7", "2 " + `Response 8 ilp "` + answer + `"`},
		"IL-RFC 0023, \"Sub-protocols\": the primary one decides; side data nobody asked for is not parsed, and breaks no payment",
	},
	"auth then transfer": {
		[]string{"1 Response 7", "2 Error 8 F00 NotAcceptedError"},
		"IL-RFC 0023, \"Error codes\": the name of F00 is NotAcceptedError",
	},
	"data handler throws": {
		[]string{"1 Response 7", "2 " + `Response 8 ilp "` + answer + `"`},
		"the layer above has no way to throw: it answers every prepare with an ILP packet (IL-RFC 0023: BTP errors are about the link)",
	},
}

// answer is the ILP Reject that the recording listener gave to any prepare.
const answer = "\\x0e\\fF02\\x06test.x\\x00\\x00"

func TestListenerAnswersProbesAsIlpPluginBtpDoes(t *testing.T) {
	octets, err := os.ReadFile("../../internal/vectors/btp_probes.json")
	if err != nil {
		t.Fatal(err)
	}
	var all probes
	if err := json.Unmarshal(octets, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Probes) < 20 {
		t.Fatalf("only %d probes", len(all.Probes))
	}
	used := 0
	for _, probe := range all.Probes {
		t.Run(probe.Name, func(t *testing.T) {
			var recorded []string
			for _, l := range probe.Log {
				switch r := l.Received; {
				case r != nil && r.Type == int(btp.TypeError):
					recorded = append(recorded, fmt.Sprintf("%d Error %d %s %s", l.Step, r.RequestID, r.Code, r.Name))
				case r != nil:
					line := fmt.Sprintf("%d %v %d", l.Step, btp.Type(r.Type), r.RequestID)
					for _, d := range r.ProtocolData {
						data, _ := hex.DecodeString(d.Data)
						line += fmt.Sprintf(" %s %q", d.ProtocolName, data)
					}
					recorded = append(recorded, line)
				case l.Closed != 1006: // 1006: the script cut the link, it was open to the end
					recorded = append(recorded, fmt.Sprintf("%d close %d", l.Step, l.Closed))
				}
			}
			var sent []func(*peer) []byte
			for _, m := range probe.Sent {
				sent = append(sent, func(p *peer) []byte {
					if m.Text != "" {
						return p.frame(ws.Text, []byte(m.Text))
					}
					b, _ := hex.DecodeString(m.Hex)
					return p.message(b)
				})
			}
			got := play(t, sent)
			d, differs := differences[probe.Name]
			switch {
			case !differs:
				want(t, "answers", got, recorded...)
			case slices.Equal(got, recorded):
				t.Fatalf("stands in the table of differences, but does not differ: %q", got)
			default:
				used++
				want(t, "answers that differ because "+d.reason, got, d.got...)
			}
		})
	}
	if used != len(differences) {
		t.Errorf("%d differences are listed and %d were seen: remove the stale ones", len(differences), used)
	}
}

// play sends messages to an accepting session whose layer above answers every
// request as the recorded listener did.
func play(t *testing.T, sent []func(*peer) []byte) (got []string) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	defer s.Release()
	reject, _ := hex.DecodeString("0e0c46303206746573742e780000")
	vec := make([]Packet, 0, 64)
	for step, message := range sent {
		s.Feed(0, message(p))
		if s.Advance() == Asked {
			if _, token := s.Credentials(); string(token) == "secret" {
				s.Accept()
			} else {
				s.Refuse(WrongToken)
			}
		}
		for s.State() != Waiting {
			if vec = s.Packets(vec[:0]); len(vec) == 0 {
				break
			}
			for _, q := range vec {
				if q.Kind == Request {
					copy(s.Reply(q.ID, len(reject)), reject)
				}
			}
		}
		s.EndRead()
		for _, line := range p.said(s) {
			if strings.Contains(line, "Error ") { // its text is for people
				line = line[:strings.IndexByte(line, '"')-1]
			}
			got = append(got, fmt.Sprintf("%d %s", step+1, line))
		}
		if s.State() >= Closing {
			break
		}
	}
	return got
}
