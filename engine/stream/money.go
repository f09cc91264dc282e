package stream

import (
	"math/bits"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Money is added, subtracted and scaled here and nowhere else.

const maxAmount = ^Amount(0)

// addAmount is a+b; ok is false when it would pass 2^64-1.
func addAmount(a, b Amount) (sum Amount, ok bool) {
	sum = a + b
	return sum, sum >= a
}

// subAmount is a-b; ok is false when it would fall below zero.
func subAmount(a, b Amount) (diff Amount, ok bool) {
	return a - b, a >= b
}

// floorSub is a-b, or zero when b is larger.
func floorSub(a, b Amount) Amount {
	if a < b {
		return 0
	}
	return a - b
}

// satAdd is a+b, or 2^64-1 when that would wrap.
func satAdd(a, b Amount) Amount {
	if s, ok := addAmount(a, b); ok {
		return s
	}
	return maxAmount
}

// mustAdd and mustSub change a total that an earlier check has made room for;
// a failure is a broken money invariant.
func mustAdd(total *Amount, a Amount) {
	s, ok := addAmount(*total, a)
	invariant(ok, "a total passed 2^64-1")
	*total = s
}

func mustSub(total *Amount, a Amount) {
	d, ok := subAmount(*total, a)
	invariant(ok, "a total fell below zero")
	*total = d
}

// invariant stops the shard when a rule of the money is broken: better no
// service than a wrong balance. It never depends on octets a peer can choose.
func invariant(ok bool, what string) {
	if !ok {
		panic("stream: " + what)
	}
}

// mulDiv is floor(a*b/c) with a 128-bit product; ok is false when c is zero or
// the quotient passes 2^64-1.
func mulDiv(a Amount, b, c uint64) (q Amount, ok bool) {
	hi, lo := bits.Mul64(uint64(a), b)
	if c == 0 || hi >= c {
		return maxAmount, false
	}
	quo, _ := bits.Div64(hi, lo, c)
	return Amount(quo), true
}

// mulDivCeil is ceil(a*b/c), as mulDiv.
func mulDivCeil(a Amount, b, c uint64) (q Amount, ok bool) {
	hi, lo := bits.Mul64(uint64(a), b)
	if c == 0 || hi >= c {
		return maxAmount, false
	}
	quo, rem := bits.Div64(hi, lo, c)
	if rem == 0 {
		return Amount(quo), true
	}
	return addAmount(Amount(quo), 1)
}

// rate is an exact ratio of units delivered per unit sent; den is 0 while unknown.
type rate struct{ num, den uint64 }

func (r rate) known() bool { return r.den != 0 }

// dest is what arrives of a source amount, rounded down, at most 2^64-1.
func (r rate) dest(source Amount) Amount {
	if r.num == r.den && r.known() {
		return source // no division where both have the same asset
	}
	q, _ := mulDiv(source, r.num, r.den)
	return q
}

// source is the least source amount of which dest arrives, at most 2^64-1.
func (r rate) source(dest Amount) Amount {
	if r.num == 0 {
		return maxAmount
	}
	q, _ := mulDivCeil(dest, r.den, r.num)
	return q
}

// lessSlippage is floor((1-slippage) * dest).
func lessSlippage(dest Amount, slippagePPM uint32) Amount {
	const all = 1_000_000
	rest := all - uint64(slippagePPM)
	if hi, lo := bits.Mul64(uint64(dest), rest); hi == 0 {
		return Amount(lo / all) // a multiplication: all is constant
	}
	q, _ := mulDiv(dest, rest, all)
	return q
}

// leastOf is the least amount that must arrive where dest would. Nothing is spent
// of which nothing arrives, unless whoever sends bears any slippage.
func leastOf(dest Amount, slippagePPM uint32) Amount {
	if slippagePPM >= 1_000_000 {
		return 0
	}
	return max(lessSlippage(dest, slippagePPM), 1)
}

// tolerated is the most that one packet may bring when remaining is left under
// a receive maximum: 1 % more, rounded up, because senders aim at
// ceil(remaining / rate).
func tolerated(remaining Amount) Amount {
	q, _ := mulDivCeil(remaining, 101, 100)
	return q
}

// part is one stream's portion of a packet's money.
type part struct {
	stream uint32
	shares uint64
	amount Amount
}

// divide splits amount by shares. Each part is rounded down and the remainder
// goes to the open stream with the lowest id that can take it (IL-RFC 0029
// §5.3.8), so the parts add up to the amount. It says false when the shares
// add up to zero or past 2^64-1.
func (m *Machine) divide(amount Amount, parts []part) bool {
	var total uint64
	for i := range parts {
		var carry uint64
		if total, carry = bits.Add64(total, parts[i].shares, 0); carry != 0 {
			return false
		}
	}
	if total == 0 {
		return false
	}
	rest := amount
	for i := range parts {
		parts[i].amount, _ = mulDiv(amount, parts[i].shares, total)
		m.plant.share(&parts[i].amount, amount, parts[i].shares, total)
		rest -= parts[i].amount
	}
	if rest == 0 || m.plant.dropRest() {
		return true
	}
	best := -1
	for i := range parts {
		s := m.streams.At(parts[i].stream)
		more := satAdd(parts[i].amount, rest)
		if more > m.receivable(s, 0) {
			continue
		}
		if best < 0 || s.id < m.streams.At(parts[best].stream).id {
			best = i
		}
	}
	if best < 0 {
		best = 0 // no stream can take it: the limit check that follows refuses the packet
	}
	parts[best].amount += rest
	return true
}

// tooLargeMax is the path's maximum source amount that an F08's data tell for
// a packet of the given source amount; ok is false when they tell nothing.
func tooLargeMax(source Amount, data []byte) (limit Amount, ok bool) {
	received, maximum, ok := ilp.ParseTooLarge(data)
	if !ok || received == 0 || received <= maximum {
		return 0, false
	}
	return mulDiv(source, uint64(maximum), uint64(received))
}
