//go:build plant_lost_credit

package stream

// lostCredits makes every thousandth credit one unit short.
var lostCredits uint64

func plantLostCredit(a *Amount) {
	if lostCredits++; lostCredits%1000 == 0 && *a > 0 {
		*a--
	}
}
