// Package constants computes what is not written down by hand.
package constants

import "math/bits"

// SHA256 are the fractional parts of the cube roots of the first 64 primes, and of the
// square roots of the first 8 (FIPS 180-4, 4.2.2 and 5.3.3).
func SHA256() (k [64]uint32, start [8]uint32) {
	n := 0
	for p := uint64(2); n < 64; p++ {
		prime := true
		for d := uint64(2); d*d <= p; d++ {
			prime = prime && p%d != 0
		}
		if !prime {
			continue
		}
		k[n] = uint32(root(p, 3))
		if n < 8 {
			start[n] = uint32(root(p, 2))
		}
		n++
	}
	return k, start
}

// root is the greatest x whose power is at most p << 32*power: the root of p, with 32
// bits behind the point.
func root(p uint64, power int) uint64 {
	lo, hi := uint64(0), uint64(1)<<37
	for hi-lo > 1 {
		x := lo + (hi-lo)/2
		if above(x, p, power) {
			hi = x
		} else {
			lo = x
		}
	}
	return lo
}

// above says whether x^power > p << 32*power, in 192 bits.
func above(x, p uint64, power int) bool {
	h, l := bits.Mul64(x, x)
	if power == 2 { // p << 64
		return h >= p && (h > p || l > 0)
	}
	h2, l2 := bits.Mul64(l, x)
	h3, l3 := bits.Mul64(h, x)
	mid, carry := bits.Add64(h2, l3, 0)
	top := h3 + carry // top, mid, l2; p << 96 is p>>32, p<<32, 0
	wantTop, wantMid := p>>32, p<<32
	return top > wantTop || top == wantTop && (mid > wantMid || mid == wantMid && l2 > 0)
}
