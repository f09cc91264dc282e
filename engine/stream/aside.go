package stream

import "github.com/millrace-ilp/millrace/codec/ilp"

// aside is how long the id of a request that nobody answered is not used again:
// its answer may still come, and must not be taken for another's.
const aside = 300e9

type spentSlot struct {
	slot  uint32
	until Instant
}

func (m *Machine) setAside(i uint32, s *slot) {
	s.flags = slotSpent
	m.aside = append(m.aside, spentSlot{i, m.now + aside})
}

// takeBack frees the slots that were set aside for long enough, and the oldest
// when there are no others.
func (m *Machine) takeBack() {
	for m.spent < len(m.aside) && (m.aside[m.spent].until <= m.now || m.slots.Len() == m.slots.Cap()) {
		m.slots.Free(m.aside[m.spent].slot)
		m.spent++
	}
	if m.spent > len(m.aside)/2 {
		m.aside = m.aside[:copy(m.aside, m.aside[m.spent:])]
		m.spent = 0
	}
}

// setAsides is how many slots are set aside.
func (m *Machine) setAsides() int { return len(m.aside) - m.spent }

// maxCodes bounds the reject codes that are counted one by one: peers make up
// their own.
const maxCodes = 60

// countReject counts a reject by its code; past maxCodes the unknown ones are
// counted together by class, as in T99.
func (m *Machine) countReject(code ilp.Code) {
	if _, known := m.stats.RejectsIn[code]; !known && len(m.stats.RejectsIn) >= maxCodes {
		switch code.Class() {
		case 'T':
			code = ilp.T99
		case 'R':
			code = ilp.R99
		default:
			code = ilp.F99
		}
	}
	m.stats.RejectsIn[code]++
}
