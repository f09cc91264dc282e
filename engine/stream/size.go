package stream

// packetSize finds the largest source amount that one packet may have on the
// path, as the reference library does. Its methods are told Options.MaxPacketAmount, in
// our units, as most.
type packetSize struct {
	test  Amount // what the next packets try
	limit Amount // the path's maximum as far as known; all ones while unknown

	full         uint32 // packets of the limit's size fulfilled
	patienceLog2 uint8  // of how many of them until more is tried
	raised       bool   // the limit is a trial
}

const (
	// firstPatienceLog2 is after how many full packets a limit is doubted: a connector
	// may have told one that was only of the moment, or none of its own.
	firstPatienceLog2 = 8 // 256
	maxPatienceLog2   = 30
)

func (p *packetSize) init(most Amount) {
	p.test, p.limit = most, maxAmount
	p.full, p.patienceLog2 = 0, firstPatienceLog2
}

// ceiling is the largest amount that may be tried.
func (p *packetSize) ceiling(most Amount) Amount { return min(p.limit, most) }

// fulfilled raises what is tried next after a full packet arrived.
func (p *packetSize) fulfilled(amount, most Amount) {
	top := p.ceiling(most)
	if amount != p.test {
		return
	}
	if p.test >= top {
		p.doubtLimit(most)
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
func (p *packetSize) doubtLimit(most Amount) {
	if p.limit >= most || p.limit == maxAmount {
		return
	}
	if p.raised { // it has arrived: there may be much more room
		p.raised, p.patienceLog2 = false, 0
	}
	if p.full++; p.full < 1<<p.patienceLog2 {
		return
	}
	p.full, p.raised = 0, true
	p.limit = satAdd(p.limit, p.limit)
	p.test = p.ceiling(most)
}

// tooLarge takes an F08 for a packet of the given amount. It says false when
// the path takes no money at all.
func (p *packetSize) tooLarge(amount Amount, data []byte, most Amount) bool {
	if p.raised {
		p.raised, p.full = false, 0
		p.patienceLog2 = min(max(p.patienceLog2+2, firstPatienceLog2), maxPatienceLog2)
	}
	if limit, ok := tooLargeMax(amount, data); ok {
		p.limit = limit
		p.test = p.ceiling(most)
		return p.test > 0
	}
	if amount > p.limit || amount > p.test && p.limit != maxAmount {
		return true // sent before an earlier F08 was heard
	}
	p.limit = floorSub(amount, 1)
	p.test = p.ceiling(most) / 2
	if p.test == 0 {
		p.test = p.ceiling(most)
	}
	return p.test > 0
}

// shortOfLiquidity lowers what is tried by a third.
func (p *packetSize) shortOfLiquidity(amount, most Amount) {
	a := min(amount, p.test)
	p.test = max(2, a-a/3)
	p.test = min(p.test, max(p.ceiling(most), 1))
}
