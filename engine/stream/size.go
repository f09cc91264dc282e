package stream

// packetSize finds the largest source amount that one packet may have on the
// path, as the reference library does.
type packetSize struct {
	test  Amount // what the next packets try
	limit Amount // the path's maximum as far as known; all ones while unknown
	fixed Amount // Options.MaxPacketAmount
}

func (p *packetSize) init(fixed Amount) {
	p.test, p.limit, p.fixed = fixed, maxAmount, fixed
}

// ceiling is the largest amount that may be tried.
func (p *packetSize) ceiling() Amount { return min(p.limit, p.fixed) }

// fulfilled raises what is tried next after a full packet arrived.
func (p *packetSize) fulfilled(amount Amount) {
	top := p.ceiling()
	if amount != p.test || p.test >= top {
		return
	}
	if top != maxAmount {
		p.test = min(satAdd(p.test, max(top/10, 1)), top)
	} else {
		p.test = min(satAdd(p.test, p.test), top)
	}
}

// tooLarge takes an F08 for a packet of the given amount. It says false when
// the path takes no money at all.
func (p *packetSize) tooLarge(amount Amount, data []byte) bool {
	if limit, ok := tooLargeMax(amount, data); ok {
		p.limit = limit
		p.test = p.ceiling()
		return p.test > 0
	}
	if amount > p.limit || amount > p.test && p.limit != maxAmount {
		return true // sent before an earlier F08 was heard
	}
	p.limit = floorSub(amount, 1)
	p.test = p.ceiling() / 2
	if p.test == 0 {
		p.test = p.ceiling()
	}
	return p.test > 0
}

// shortOfLiquidity lowers what is tried by a third.
func (p *packetSize) shortOfLiquidity(amount Amount) {
	a := min(amount, p.test)
	p.test = max(2, a-a/3)
	p.test = min(p.test, max(p.ceiling(), 1))
}
