package stream

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestRatesAndSlippageAreExact: rounded down, whatever the amounts, also where both assets
// are the same and where a product passes 2^64.
func TestRatesAndSlippageAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	number := func() uint64 { return r.Uint64() >> r.UintN(64) }
	most := new(big.Int).SetUint64(uint64(maxAmount))
	want := func(a Amount, num, den uint64) Amount {
		q := new(big.Int).SetUint64(uint64(a))
		q.Mul(q, new(big.Int).SetUint64(num))
		q.Div(q, new(big.Int).SetUint64(den))
		if q.Cmp(most) > 0 {
			return maxAmount
		}
		return Amount(q.Uint64())
	}
	for range 200_000 {
		a, x := Amount(number()), rate{number(), max(number(), 1)}
		if r.IntN(4) == 0 {
			x.num = x.den
		}
		if got := x.dest(a); got != want(a, x.num, x.den) {
			t.Fatalf("%d at %d/%d is %d, want %d", a, x.num, x.den, got, want(a, x.num, x.den))
		}
		ppm := r.Uint32N(1_000_001)
		if got := lessSlippage(a, ppm); got != want(a, 1_000_000-uint64(ppm), 1_000_000) {
			t.Fatalf("%d less %d ppm is %d", a, ppm, got)
		}
	}
	if got := (rate{}).dest(5); got != maxAmount {
		t.Errorf("at no rate %d arrives", got)
	}
}
