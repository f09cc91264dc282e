package stream

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

func amountOf(t *testing.T, s string) Amount {
	t.Helper()
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return Amount(v)
}

// Quotients are held to the exact ones: the reference's own differ for
// divisors of 2^63 and more.
func TestMoneyArithmeticAgainstVectors(t *testing.T) {
	v := vectors.Load[struct {
		MulDiv []struct {
			A, B, C string
			Exact   struct{ Floor, Ceil string }
		}
		MinDest []struct {
			Rate                                   string
			Slippage                               json.Number
			SourceAmount, MinimumDestinationAmount string
		}
		Digits []struct {
			Value  string
			Digits int
		}
	}](t, "arithmetic.json")
	if len(v.MulDiv) == 0 || len(v.MinDest) == 0 || len(v.Digits) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, c := range v.MulDiv {
		a, b, d := amountOf(t, c.A), uint64(amountOf(t, c.B)), uint64(amountOf(t, c.C))
		floor, _ := mulDiv(a, b, d)
		ceil, _ := mulDivCeil(a, b, d)
		if floor != amountOf(t, c.Exact.Floor) || ceil != amountOf(t, c.Exact.Ceil) {
			t.Errorf("%s*%s/%s: %d, %d; want %s, %s", c.A, c.B, c.C, floor, ceil, c.Exact.Floor, c.Exact.Ceil)
		}
	}
	for _, c := range v.MinDest {
		var r rate
		if _, err := fmt.Sscanf(c.Rate, "%d/%d", &r.num, &r.den); err != nil {
			t.Fatal(err)
		}
		slippage, err := c.Slippage.Float64()
		if err != nil {
			t.Fatal(err)
		}
		if got := lessSlippage(r.dest(amountOf(t, c.SourceAmount)), uint32(slippage*1e6+0.5)); got != amountOf(t, c.MinimumDestinationAmount) {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for _, c := range v.Digits {
		if got := decimalDigits(amountOf(t, c.Value)); got != c.Digits {
			t.Errorf("%s has %d digits", c.Value, got)
		}
	}
}

// Sums and differences are held to the exact ones: the reference's subtraction
// errs about zero.
func TestCheckedArithmeticAgainstVectors(t *testing.T) {
	v := vectors.Load[struct {
		Checked []struct {
			A, B, ExactSubtract, Add    string
			ExactUnderflow, AddOverflow bool
		}
	}](t, "arithmetic.json")
	if len(v.Checked) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, c := range v.Checked {
		a, b := amountOf(t, c.A), amountOf(t, c.B)
		if sum, ok := addAmount(a, b); satAdd(a, b) != amountOf(t, c.Add) || ok == c.AddOverflow || ok && sum != amountOf(t, c.Add) {
			t.Errorf("%d+%d: %d, %v", a, b, sum, ok)
		}
		if diff, ok := subAmount(a, b); floorSub(a, b) != amountOf(t, c.ExactSubtract) || ok == c.ExactUnderflow || ok && diff != floorSub(a, b) {
			t.Errorf("%d-%d: %d, %v", a, b, diff, ok)
		}
	}
}

// The packet size follows the reference's controller step by step.
func TestPacketSizeAgainstTheReferencesTraces(t *testing.T) {
	v := vectors.Load[struct {
		Congestion []struct {
			Name  string
			Trace []struct {
				Event                                        string
				Amount, Received, Maximum                    string
				TestMaximumPacketAmount, MaximumPacketAmount string
			}
		}
	}](t, "arithmetic.json")
	if len(v.Congestion) < 10 {
		t.Fatal("vectors are missing")
	}
	for _, c := range v.Congestion {
		var p packetSize
		most := maxAmount
		p.init(most)
		for i, e := range c.Trace {
			amount := amountOf(t, e.Amount)
			switch e.Event {
			case "set":
				most = amount
				p.init(most)
			case "fulfill":
				p.fulfilled(amount, most)
			case "liquidity":
				p.shortOfLiquidity(amount, most)
			case "tooLarge":
				var data []byte
				if e.Received != "" {
					data = ilp.AppendTooLarge(nil, amountOf(t, e.Received), amountOf(t, e.Maximum))
				}
				p.tooLarge(amount, data, most)
			default:
				t.Fatalf("%s: %q", c.Name, e.Event)
			}
			if p.test != amountOf(t, e.TestMaximumPacketAmount) || p.ceiling(most) != amountOf(t, e.MaximumPacketAmount) {
				t.Errorf("%s, step %d: tries %d of %d, the reference %s of %s", c.Name, i+1, p.test, p.ceiling(most), e.TestMaximumPacketAmount, e.MaximumPacketAmount)
				break
			}
		}
	}
}

func TestPacketIDsAgainstVectors(t *testing.T) {
	v := vectors.Load[struct {
		PacketIDs []struct{ SharedSecret, Sequence, PacketID string } `json:"packetIds"`
	}](t, "stream_crypto.json")
	if len(v.PacketIDs) == 0 {
		t.Fatal("vectors are missing")
	}
	for _, c := range v.PacketIDs {
		if id := PacketID(unhex(t, c.SharedSecret), uint64(amountOf(t, c.Sequence))); hex.EncodeToString(id[:]) != c.PacketID {
			t.Errorf("sequence %s: %x", c.Sequence, id)
		}
	}
}
