package stream

// packetSize finds the largest source amount that one packet may have on the
// path, as the reference library does.
type packetSize struct {
	test  Amount // what the next packets try
	limit Amount // the path's maximum as far as known; all ones while unknown
	fixed Amount // Options.MaxPacketAmount

	full     uint32 // packets of the limit's size fulfilled
	patience uint32 // how many of them until more is tried
	raised   bool   // the limit is a trial
}

// firstPatience is after how many full packets a limit is doubted: a connector
// may have told one that was only of the moment, or none of its own.
const firstPatience = 256

func (p *packetSize) init(fixed Amount) {
	p.test, p.limit, p.fixed = fixed, maxAmount, fixed
	p.full, p.patience = 0, firstPatience
}

// ceiling is the largest amount that may be tried.
func (p *packetSize) ceiling() Amount { return min(p.limit, p.fixed) }

// fulfilled raises what is tried next after a full packet arrived.
func (p *packetSize) fulfilled(amount Amount) {
	top := p.ceiling()
	if amount != p.test {
		return
	}
	if p.test >= top {
		p.doubtLimit()
		return
	}
	if top != maxAmount {
		p.test = min(satAdd(p.test, max(top/10, 1)), top)
	} else {
		p.test = min(satAdd(p.test, p.test), top)
	}
}

// doubtLimit tries twice the path's limit once enough packets of its size have
// arrived, more seldom each time. At worst one flight is refused.
func (p *packetSize) doubtLimit() {
	if p.limit >= p.fixed || p.limit == maxAmount {
		return
	}
	if p.raised { // it has arrived: there may be much more room
		p.raised, p.patience = false, 1
	}
	if p.full++; p.full < p.patience {
		return
	}
	p.full, p.raised = 0, true
	p.limit = satAdd(p.limit, p.limit)
	p.test = p.ceiling()
}

// tooLarge takes an F08 for a packet of the given amount. It says false when
// the path takes no money at all.
func (p *packetSize) tooLarge(amount Amount, data []byte) bool {
	if p.raised {
		p.raised, p.full = false, 0
		p.patience = min(max(4*p.patience, firstPatience), 1<<30)
	}
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
