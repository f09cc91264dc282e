package sim

import "math/bits"

// mulDiv is floor(a*b/c).
func mulDiv(a, b, c uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, true
}

// sum is a total of amounts that cannot wrap.
type sum struct{ hi, lo uint64 }

func (s *sum) add(a uint64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, a, 0)
	s.hi += carry
}

func (s *sum) sub(a uint64) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, a, 0)
	s.hi -= borrow
}

func (s sum) plus(o sum) sum {
	lo, carry := bits.Add64(s.lo, o.lo, 0)
	return sum{s.hi + o.hi + carry, lo}
}

func (s sum) minus(o sum) sum {
	lo, borrow := bits.Sub64(s.lo, o.lo, 0)
	return sum{s.hi - o.hi - borrow, lo}
}

// is says whether the total is exactly an amount.
func (s sum) is(a uint64) bool { return s.hi == 0 && s.lo == a }

// atLeast says whether the total is an amount or more.
func (s sum) atLeast(a uint64) bool { return s.hi > 0 || s.lo >= a }

// atMost says whether the total is an amount or less.
func (s sum) atMost(a uint64) bool { return s.hi == 0 && s.lo <= a }

func (s sum) less(o sum) bool { return s.hi < o.hi || s.hi == o.hi && s.lo < o.lo }

// float is the total, nearly.
func (s sum) float() float64 { return float64(s.hi)*(1<<64) + float64(s.lo) }
