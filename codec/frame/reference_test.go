package frame

import (
	"errors"
	"math/big"
	"slices"
)

// The reference: the grammar of IL-RFC 0029 as a table, and a reader that follows
// it on arbitrary-precision integers. It shares no code with the package, is
// slow, and defines what Parse must accept.

// field is a kind of field in a frame's body.
type field int

const (
	octet  field = iota // UInt8
	number              // VarUInt of at most 64 bits
	atMost              // VarUInt that reads as 2^64-1 when it has over eight octets
	text                // variable-length octet string
)

// grammar lists the fields of each known frame, in order.
var grammar = map[Type][]field{
	TypeConnectionClose:           {octet, text},
	TypeConnectionNewAddress:      {text},
	TypeConnectionMaxData:         {number},
	TypeConnectionDataBlocked:     {number},
	TypeConnectionMaxStreamID:     {number},
	TypeConnectionStreamIDBlocked: {number},
	TypeConnectionAssetDetails:    {text, octet},
	TypeStreamClose:               {number, octet, text},
	TypeStreamMoney:               {number, number},
	TypeStreamMaxMoney:            {number, atMost, number},
	TypeStreamMoneyBlocked:        {number, atMost, number},
	TypeStreamData:                {number, number, text},
	TypeStreamMaxData:             {number, number},
	TypeStreamDataBlocked:         {number, number},
	TypeStreamReceipt:             {number, text},
}

// value is what was read of one field.
type value struct {
	Number uint64 // of all kinds but text
	Text   string
}

type referenceFrame struct {
	Type   Type
	Values []value // nil for unknown types
	Body   string
}

type referencePacket struct {
	PacketType              uint8
	Sequence, PrepareAmount uint64
	Frames                  []referenceFrame
}

var errReference = errors.New("reference: unreadable")

// reader reads from the front of b; once something is wrong it stays wrong.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	var head []byte
	head, r.b = r.b[:n], r.b[n:]
	return head
}

func (r *reader) octet() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) text() []byte {
	n := uint64(r.octet())
	if n >= 0x80 {
		k := n - 0x80
		octets := slices.Clone(r.take(k))
		v := new(big.Int).SetBytes(octets)
		if k == 0 || k > 8 || r.bad || octets[0] == 0 || v.Cmp(big.NewInt(127)) <= 0 {
			r.bad = true
			return nil
		}
		n = v.Uint64()
	}
	return r.take(n)
}

func (r *reader) number(saturate bool) uint64 {
	octets := r.text()
	if len(octets) == 0 || len(octets) > 8 && !saturate {
		r.bad = true
	}
	if len(octets) > 8 {
		return 1<<64 - 1
	}
	return new(big.Int).SetBytes(octets).Uint64()
}

func referenceParse(b []byte) (p referencePacket, err error) {
	r := &reader{b: b}
	if r.octet() != 1 {
		return p, errReference
	}
	p.PacketType = r.octet()
	p.Sequence = r.number(false)
	p.PrepareAmount = r.number(false)
	for count := r.number(false); count > 0 && !r.bad; count-- {
		f := referenceFrame{Type: Type(r.octet())}
		body := &reader{b: r.text()}
		f.Body = string(body.b)
		for _, kind := range grammar[f.Type] {
			var v value
			switch kind {
			case octet:
				v.Number = uint64(body.octet())
			case number:
				v.Number = body.number(false)
			case atMost:
				v.Number = body.number(true)
			case text:
				v.Text = string(body.text())
			}
			f.Values = append(f.Values, v)
		}
		if body.bad {
			r.bad = true
		}
		p.Frames = append(p.Frames, f)
	}
	if r.bad {
		return referencePacket{}, errReference
	}
	return p, nil
}

// frameValue is any of the frame structs.
type frameValue interface {
	Append(dst []byte) []byte
	Len() int
}

// parseBody calls the Parse function of the type and returns both the struct and
// its fields in the order of the grammar. For an unknown type it returns nil.
func parseBody(t Type, body []byte) (frameValue, []value, error) {
	n := func(v uint64) value { return value{Number: v} }
	s := func(b []byte) value { return value{Text: string(b)} }
	switch t {
	case TypeConnectionClose:
		f, err := ParseConnectionClose(body)
		return f, []value{n(uint64(f.Code)), s(f.Message)}, err
	case TypeConnectionNewAddress:
		f, err := ParseConnectionNewAddress(body)
		return f, []value{s(f.Address)}, err
	case TypeConnectionMaxData:
		f, err := ParseConnectionMaxData(body)
		return f, []value{n(f.MaxOffset)}, err
	case TypeConnectionDataBlocked:
		f, err := ParseConnectionDataBlocked(body)
		return f, []value{n(f.MaxOffset)}, err
	case TypeConnectionMaxStreamID:
		f, err := ParseConnectionMaxStreamID(body)
		return f, []value{n(f.MaxStreamID)}, err
	case TypeConnectionStreamIDBlocked:
		f, err := ParseConnectionStreamIDBlocked(body)
		return f, []value{n(f.MaxStreamID)}, err
	case TypeConnectionAssetDetails:
		f, err := ParseConnectionAssetDetails(body)
		return f, []value{s(f.AssetCode), n(uint64(f.Scale))}, err
	case TypeStreamClose:
		f, err := ParseStreamClose(body)
		return f, []value{n(f.StreamID), n(uint64(f.Code)), s(f.Message)}, err
	case TypeStreamMoney:
		f, err := ParseStreamMoney(body)
		return f, []value{n(f.StreamID), n(f.Shares)}, err
	case TypeStreamMaxMoney:
		f, err := ParseStreamMaxMoney(body)
		return f, []value{n(f.StreamID), n(uint64(f.ReceiveMax)), n(uint64(f.TotalReceived))}, err
	case TypeStreamMoneyBlocked:
		f, err := ParseStreamMoneyBlocked(body)
		return f, []value{n(f.StreamID), n(uint64(f.SendMax)), n(uint64(f.TotalSent))}, err
	case TypeStreamData:
		f, err := ParseStreamData(body)
		return f, []value{n(f.StreamID), n(f.Offset), s(f.Data)}, err
	case TypeStreamMaxData:
		f, err := ParseStreamMaxData(body)
		return f, []value{n(f.StreamID), n(f.MaxOffset)}, err
	case TypeStreamDataBlocked:
		f, err := ParseStreamDataBlocked(body)
		return f, []value{n(f.StreamID), n(f.MaxOffset)}, err
	case TypeStreamReceipt:
		f, err := ParseStreamReceipt(body)
		return f, []value{n(f.StreamID), s(f.Receipt)}, err
	}
	return nil, nil, nil
}
