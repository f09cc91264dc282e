package btp

import (
	"math"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// The error codes that make sense in BTP 2.0 (IL-RFC 0023, "Error codes"), with
// the names that go with them. A T may be retried, an F must not. They speak of
// the link: what goes wrong with an ILP packet travels as an ILP Reject inside a
// Response.
var (
	CodeUnreachable   = ilp.T00 // NameUnreachable
	CodeNotAccepted   = ilp.F00 // NameNotAccepted
	CodeInvalidFields = ilp.F01 // NameInvalidFields
)

// The names of the codes above.
const (
	NameUnreachable   = "UnreachableError"
	NameNotAccepted   = "NotAcceptedError"
	NameInvalidFields = "InvalidFieldsError"
)

// MaxErrorData bounds the data of an Error on output, in octets (IL-RFC 0023,
// "Error"). On input any length is accepted.
const MaxErrorData = 8192

// NoTime stands for a triggeredAt that cannot be read.
const NoTime = math.MinInt64

// ErrorFields are the fields of an Error before its sub-protocols. Name and Data
// are borrowed.
type ErrorFields struct {
	Code ilp.Code
	Name []byte // UTF-8, such as NameNotAccepted
	// TriggeredAtUnixMs is in milliseconds since the Unix epoch, or NoTime.
	TriggeredAtUnixMs int64
	Data              []byte // text or JSON as a rule
}

// ErrorFields are what an Error says. ok is false if the packet is none.
func (p *Packet) ErrorFields() (f ErrorFields, ok bool) {
	if p.typ != TypeError {
		return ErrorFields{}, false
	}
	// Parse has walked the same octets, so none of this fails.
	f.Code = ilp.Code(p.fields)
	name, at, _ := oer.VarOctets(p.fields, 3)
	triggeredAt, at, _ := oer.VarOctets(p.fields, at)
	data, _, _ := oer.VarOctets(p.fields, at)
	f.Name, f.Data = name, data
	f.TriggeredAtUnixMs = parseTime(triggeredAt)
	return f, true
}

// AppendError appends an Error. Its data is cut at MaxErrorData octets; a
// TriggeredAtUnixMs of NoTime is written as the epoch, because other
// implementations refuse an Error without a date.
func AppendError(dst []byte, requestID uint32, f ErrorFields, subs ...SubProtocol) []byte {
	data := f.Data[:min(len(f.Data), MaxErrorData)]
	at := f.TriggeredAtUnixMs
	if at == NoTime {
		at = 0
	}
	triggeredAt := formatTime(at)
	dst = appendHeader(dst, TypeError, requestID,
		3+varLen(len(f.Name))+varLen(len(triggeredAt))+varLen(len(data))+subsLen(subs))
	dst = append(dst, f.Code[:]...)
	dst = oer.AppendVarOctets(dst, f.Name)
	dst = oer.AppendVarOctets(dst, triggeredAt[:])
	dst = oer.AppendVarOctets(dst, data)
	return appendSubs(dst, subs)
}

// formatTime writes a GeneralizedTime with three digits of fraction, as in
// 20170828183200.000Z: the form that every implementation reads.
func formatTime(unixMs int64) (s [19]byte) {
	t := ilp.MakeTimestamp(unixMs)
	copy(s[:], t[:14])
	s[14] = '.'
	copy(s[15:], t[14:])
	s[18] = 'Z'
	return s
}

// parseTime reads a GeneralizedTime in UTC with no or up to three digits of
// fraction, and returns NoTime for anything else.
func parseTime(b []byte) (unixMs int64) {
	n := len(b) - 1
	if n < 14 || n > 18 || n == 15 || b[n] != 'Z' || n > 15 && b[14] != '.' {
		return NoTime
	}
	t := ilp.Timestamp([]byte("00000000000000000"))
	copy(t[:14], b)
	if n > 15 {
		copy(t[14:], b[15:n])
	}
	unixMs, err := t.UnixMs()
	if err != nil {
		return NoTime
	}
	return unixMs
}
