//go:build plant_lost_credit && !plant

package stream

// plant makes every thousandth credit one unit short.
type plant struct{ credits uint64 }

func (p *plant) lostCredit(a *Amount) {
	if p.credits++; p.credits%1000 == 0 && *a > 0 {
		*a--
	}
}
