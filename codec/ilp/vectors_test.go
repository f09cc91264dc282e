package ilp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of ilp-packet that Millrace does not follow.
var differences = vectors.Differences{
	"reject/unknown code":                                         "read, since unknown codes must be tolerated, but never written: its class is none of F, T and R (IL-RFC 0027, error codes)",
	"decode/prepare: month 13":                                    notADate,
	"decode/prepare: month 00":                                    notADate,
	"decode/prepare: day 32":                                      notADate,
	"decode/prepare: hour 24":                                     notADate,
	"decode/prepare: second 60":                                   notADate,
	"decode/prepare: second 61":                                   notADate,
	"decode/prepare: february 30":                                 notADate,
	"decode/prepare: spaces in date":                              notADate,
	"decode/prepare: plus sign in date":                           notADate,
	"decode/prepare: epoch exactly":                               "a date like any other (IL-RFC 0027); refused there because zero is false",
	"decode/prepare: year 0000":                                   centuries,
	"decode/prepare: year 0099":                                   centuries,
	"decode/prepare: data of 65535 bytes":                         dataBound,
	"decode/prepare: destination high bit set (0xe7 = 0x67|0x80)": "not ASCII (IL-RFC 0015); the top bit is dropped there, so two spellings would name one address",
}

const (
	notADate  = "not a date of the calendar (IL-RFC 0027, expiresAt); rolled over there"
	centuries = "four digits are the year (IL-RFC 0027, expiresAt); years below 100 are read as 19xx there"
	dataBound = "data is bounded to 32767 octets (IL-RFC 0027, data), and to 32768 on input; not enforced there"
)

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.ILPPackets](t, "ilp_packets.json")
	check := differences.Check(t)

	for _, e := range v.Prepares {
		p, err := ParsePrepare(e.Hex)
		check.Case("prepare/"+e.Name, first(errText(err), func() string {
			return first(prepareDiffers(p, e.Fields), func() string { return again(e.Hex, appendPrepare(t, p)) })
		}))
	}
	for _, e := range v.Fulfills {
		p, err := ParseFulfill(e.Hex)
		check.Case("fulfill/"+e.Name, first(errText(err), func() string {
			return first(fulfillDiffers(p, e.Fields), func() string { return again(e.Hex, appendFulfill(t, p)) })
		}))
	}
	for _, e := range v.Rejects {
		p, err := ParseReject(e.Hex)
		check.Case("reject/"+e.Name, first(errText(err), func() string {
			return first(rejectDiffers(p, e.Fields), func() string { return again(e.Hex, appendReject(t, p)) })
		}))
	}
	for _, e := range v.Addresses {
		address := []byte(e.Address)
		if e.Rule != "" {
			address = []byte("g." + strings.Repeat("a", e.Length-2))
		}
		difference := ""
		if (CheckAddress(address) == nil) != e.Valid {
			difference = fmt.Sprintf("CheckAddress(%q) = %v", address, CheckAddress(address))
		}
		check.Case(fmt.Sprintf("address/%d/%s", e.Length, e.Address), difference)
	}
	for _, e := range v.Decode {
		// Two versions of ilp-packet were asked; they agree on everything.
		for version, want := range e.Results {
			if len(e.Results) != 2 {
				t.Fatalf("%s: %d versions", e.Name, len(e.Results))
			}
			if version == "ilp-packet 3.1.3" {
				check.Case("decode/"+e.Name, decodeDiffers(e.Octets(), want.Accepted, want.Fields))
			} else if again := e.Results["ilp-packet 3.1.3"]; again.Accepted != want.Accepted {
				t.Errorf("%s: the versions differ", e.Name)
			}
		}
	}
}

// TestTooLargeDataOfOtherImplementations reads the data of the F08 rejects among
// the vectors, whose figures stand in their names.
func TestTooLargeDataOfOtherImplementations(t *testing.T) {
	found := 0
	for _, e := range vectors.Load[vectors.ILPPackets](t, "ilp_packets.json").Rejects {
		var received, maximum Amount
		if n, _ := fmt.Sscanf(e.Name, "F08 received %d maximum %d", &received, &maximum); n != 2 {
			continue
		}
		found++
		r, err := ParseReject(e.Hex)
		if err != nil || r.Code() != F08 {
			t.Fatalf("%s: %v, %v", e.Name, r.Code(), err)
		}
		gotReceived, gotMaximum, ok := ParseTooLarge(r.Data())
		if gotReceived != received || gotMaximum != maximum || !ok {
			t.Errorf("%s: %d, %d, %t", e.Name, gotReceived, gotMaximum, ok)
		}
		if again := AppendTooLarge(nil, received, maximum); !bytes.Equal(again, r.Data()) {
			t.Errorf("%s: written as %x", e.Name, again)
		}
	}
	if found < 3 {
		t.Errorf("%d vectors have F08 data", found)
	}
}

// TestRoutingPacketsAreOrdinaryPrepares wraps the payloads of the routing protocol
// as its implementation does. Millrace does not speak it, but has to carry it.
func TestRoutingPacketsAreOrdinaryPrepares(t *testing.T) {
	v := vectors.Load[vectors.CCP](t, "ccp.json")
	if !bytes.Equal(v.Condition, PeerCondition[:]) {
		t.Errorf("the condition of the peer protocols is %v, not %x", v.Condition, PeerCondition)
	}
	carry := func(destination string, payload []byte) {
		t.Helper()
		expiry := MakeTimestamp(1893456000000)
		b, err := AppendPrepare(nil, &PrepareFields{Expiry: expiry, Condition: PeerCondition, Destination: []byte(destination), Data: payload})
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePrepare(b)
		if err != nil || string(p.Destination()) != destination || !bytes.Equal(p.Data(), payload) {
			t.Errorf("%s: %q, %x, %v", destination, p.Destination(), p.Data(), err)
		}
	}
	for _, e := range v.Control {
		carry(v.ControlDestination, e.Payload)
	}
	for _, e := range v.Update {
		carry(v.UpdateDestination, e.Payload)
	}
	f, err := ParseFulfill(v.Response)
	if err != nil || !bytes.Equal(f.Fulfillment(), PeerFulfillment[:]) || len(f.Data()) != 0 {
		t.Errorf("response: %v", err)
	}
}

func decodeDiffers(b []byte, accepted bool, want vectors.ILPFields) string {
	var err error
	var prepare Prepare
	var fulfill Fulfill
	var reject Reject
	switch PeekType(b) {
	case TypePrepare:
		prepare, err = ParsePrepare(b)
	case TypeFulfill:
		fulfill, err = ParseFulfill(b)
	case TypeReject:
		reject, err = ParseReject(b)
	default:
		err = ErrType
	}
	switch {
	case (err == nil) != accepted:
		return fmt.Sprintf("error %v, accepted there: %t", err, accepted)
	case err != nil:
		return ""
	case PacketType(want.Type) != PeekType(b):
		return "type"
	}
	switch PeekType(b) {
	case TypePrepare:
		return prepareDiffers(prepare, want)
	case TypeFulfill:
		return fulfillDiffers(fulfill, want)
	default:
		return rejectDiffers(reject, want)
	}
}

func prepareDiffers(p Prepare, want vectors.ILPFields) string {
	at, err := time.Parse(time.RFC3339Nano, want.ExpiresAt)
	switch {
	case err != nil:
		return err.Error()
	case p.Amount() != Amount(want.Amount):
		return fmt.Sprint("amount ", p.Amount())
	case p.ExpiryUnixMs() != at.UnixMilli():
		return fmt.Sprint("expiry ", p.ExpiryUnixMs())
	case !bytes.Equal(p.Condition(), want.ExecutionCondition):
		return fmt.Sprintf("condition %x", p.Condition())
	case string(p.Destination()) != want.Destination:
		return fmt.Sprintf("destination %q", p.Destination())
	case !want.Data.Equal(p.Data()):
		return fmt.Sprintf("data %x", p.Data())
	}
	return ""
}

func fulfillDiffers(f Fulfill, want vectors.ILPFields) string {
	switch {
	case !bytes.Equal(f.Fulfillment(), want.Fulfillment):
		return fmt.Sprintf("fulfillment %x", f.Fulfillment())
	case !want.Data.Equal(f.Data()):
		return fmt.Sprintf("data %x", f.Data())
	}
	return ""
}

func rejectDiffers(r Reject, want vectors.ILPFields) string {
	// The vectors hold text: one replacement character an octet that is not UTF-8.
	message := string([]rune(string(r.Message())))
	code := r.Code()
	switch {
	case string(code[:]) != want.Code:
		return fmt.Sprintf("code %q", code)
	case string(r.TriggeredBy()) != want.TriggeredBy:
		return fmt.Sprintf("triggered by %q", r.TriggeredBy())
	case message != want.Message:
		return fmt.Sprintf("message %q", message)
	case !want.Data.Equal(r.Data()):
		return fmt.Sprintf("data %x", r.Data())
	}
	return ""
}

// again says whether what was read is written as the same octets.
func again(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("written as %x", got)
}

func appendPrepare(t *testing.T, p Prepare) []byte {
	t.Helper()
	f := PrepareFields{
		Amount: p.Amount(), Expiry: MakeTimestamp(p.ExpiryUnixMs()), Condition: [32]byte(p.Condition()),
		Destination: p.Destination(), Data: p.Data(),
	}
	b, err := AppendPrepare(nil, &f)
	if err != nil {
		t.Error(err)
	}
	return b
}

func appendFulfill(t *testing.T, f Fulfill) []byte {
	t.Helper()
	b, err := AppendFulfill(nil, (*[32]byte)(f.Fulfillment()), f.Data())
	if err != nil {
		t.Error(err)
	}
	return b
}

// appendReject writes r, unless a limit on output forbids it.
func appendReject(t *testing.T, r Reject) []byte {
	t.Helper()
	b, err := AppendReject(nil, r.Code(), r.TriggeredBy(), r.Message(), r.Data())
	if err != nil && !errors.Is(err, ErrCode) && !errors.Is(err, ErrMessageLength) {
		t.Error(err)
	}
	return b
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// first is what, or else what next says.
func first(what string, next func() string) string {
	if what != "" {
		return what
	}
	return next()
}
