package frame

import (
	"bytes"
	"math"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// checkPlain holds the short ways to what Parse has read of b.
func checkPlain(t *testing.T, b []byte, p *Packet) {
	t.Helper()
	var first Type
	var body []byte
	it := p.Frames()
	if it.Next() {
		first, body = it.Type(), it.Body()
	}
	var money MoneyPacket
	if money.Parse(b) {
		want, err := ParseStreamMoney(body)
		if err != nil || p.Count() != 1 || first != TypeStreamMoney || money.Frame != want ||
			money.PacketType != p.PacketType || money.Sequence != p.Sequence || money.PrepareAmount != p.PrepareAmount {
			t.Fatalf("MoneyPacket of %x = %+v; Parse reads %+v", b, money, p)
		}
		if again := money.Append([]byte{0xaa}); len(again) == 1+len(b) {
			if !bytes.Equal(again[1:], b) {
				t.Fatalf("%x is written again as %x", b, again[1:])
			}
		} else if len(again) > 1+len(b) {
			t.Fatalf("%x is written longer, as %x", b, again[1:])
		}
	}
	var limit MaxMoneyPacket
	if limit.Parse(b) {
		want, err := ParseStreamMaxMoney(body)
		if err != nil || p.Count() != 1 || first != TypeStreamMaxMoney || limit.Frame != want ||
			limit.PacketType != p.PacketType || limit.Sequence != p.Sequence || limit.PrepareAmount != p.PrepareAmount {
			t.Fatalf("MaxMoneyPacket of %x = %+v; Parse reads %+v", b, limit, p)
		}
	}
}

// checkNotPlain is for what Parse refuses.
func checkNotPlain(t *testing.T, b []byte) {
	t.Helper()
	if new(MoneyPacket).Parse(b) {
		t.Fatalf("MoneyPacket takes %x", b)
	}
	if new(MaxMoneyPacket).Parse(b) {
		t.Fatalf("MaxMoneyPacket takes %x", b)
	}
}

// TestPlainPacketsAreWrittenAndReadAsAllOthers tries integers of every length.
func TestPlainPacketsAreWrittenAndReadAsAllOthers(t *testing.T) {
	values := []uint64{0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 1 << 16, 1<<24 - 1, 1 << 24, 1<<32 - 1, 1 << 32, 1 << 40, 1 << 48, 1 << 56, math.MaxUint64}
	for _, sequence := range values {
		for _, amount := range values {
			for _, id := range values {
				for _, v := range values {
					header, countAt := AppendHeader([]byte{1, 2, 3}, ilp.TypePrepare, sequence, ilp.Amount(amount))
					SetCount(header, countAt, 1)

					m := StreamMoney{StreamID: id, Shares: v}
					want := m.Append(bytes.Clone(header))
					money := MoneyPacket{PacketType: ilp.TypePrepare, Sequence: sequence, PrepareAmount: ilp.Amount(amount), Frame: m}
					if got := money.Append([]byte{1, 2, 3}); !bytes.Equal(got, want) {
						t.Fatalf("%+v is written as %x, want %x", money, got, want)
					}
					var got MoneyPacket
					if ok := got.Parse(want[3:]); !ok || got != money {
						t.Fatalf("%x reads as %+v, %v", want[3:], got, ok)
					}

					l := StreamMaxMoney{StreamID: id, ReceiveMax: ilp.Amount(v), TotalReceived: ilp.Amount(amount)}
					want = l.Append(bytes.Clone(header))
					limit := MaxMoneyPacket{PacketType: ilp.TypePrepare, Sequence: sequence, PrepareAmount: ilp.Amount(amount), Frame: l}
					if got := limit.Append([]byte{1, 2, 3}); !bytes.Equal(got, want) {
						t.Fatalf("%+v is written as %x, want %x", limit, got, want)
					}
					var gotLimit MaxMoneyPacket
					if ok := gotLimit.Parse(want[3:]); !ok || gotLimit != limit {
						t.Fatalf("%x reads as %+v, %v", want[3:], gotLimit, ok)
					}
					if new(MoneyPacket).Parse(append(want[3:len(want):len(want)], 0)) {
						t.Fatal("taken with octets behind its frame")
					}
				}
			}
		}
	}
}
