package stream

import "slices"

// likeliest says which packets have arrived when together they delivered ahead:
// those whose sizes add up to it or, where the rate has moved or the search would
// take too long, come near it from below; rest is what is missing then. Of equal
// packets it takes the oldest.
func likeliest(ahead Amount, sizes []Amount) (arrived []bool, rest Amount) {
	return likeliestOf(1, ahead, sizes)
}

// likeliestOf is likeliest as one of n searches, which have the steps of one.
func likeliestOf(n int, ahead Amount, sizes []Amount) (arrived []bool, rest Amount) {
	s := subset{ahead: ahead, score: ahead, steps: maxSteps / n}
	fitting := slices.DeleteFunc(slices.Clone(sizes), func(size Amount) bool { return size == 0 || size > ahead })
	slices.Sort(fitting)
	for _, size := range slices.Backward(fitting) {
		if k := len(s.kinds); k > 0 && s.kinds[k-1].size == size {
			s.kinds[k-1].n++
		} else {
			s.kinds = append(s.kinds, kind{size: size, n: 1})
		}
	}
	if ahead > 0 {
		s.search(0, 0)
	}
	left := make(map[Amount]int, len(s.kinds))
	for _, k := range s.kinds {
		left[k.size] = k.best
	}
	arrived = make([]bool, len(sizes))
	for i, size := range sizes {
		if left[size] > 0 {
			arrived[i] = true
			left[size]--
		}
	}
	return arrived, s.score
}

// maxSteps bounds the search: a path that answers nothing can leave thousands of
// packets of many sizes in doubt.
const maxSteps = 1 << 16

// kind is the packets of one size.
type kind struct {
	size        Amount
	n           int
	taken, best int
}

// subset looks for counts of each kind that add up to ahead.
type subset struct {
	ahead  Amount
	kinds  []kind
	score  Amount // what the best so far is short of ahead; 0 is exact
	better bool   // what is taken is the best so far, and not kept yet
	steps  int
}

// search tries every count of the kinds from i on, the largest sizes and counts
// first. sum is taken already.
func (s *subset) search(i int, sum Amount) {
	s.steps--
	if score := s.ahead - sum; score < s.score {
		s.score, s.better = score, true
	}
	if i == len(s.kinds) {
		return
	}
	k := &s.kinds[i]
	most := int(min(uint64(k.n), uint64((s.ahead-sum)/k.size)))
	for take := most; take >= 0 && s.score > 0 && s.steps > 0; take-- {
		if take < most {
			s.keep()
		}
		k.taken = take // more than before is better than before: it need not be kept
		s.search(i+1, sum+k.size*Amount(take))
	}
	s.keep()
	k.taken = 0
}

// keep keeps the best before what is taken changes. That counts as steps.
func (s *subset) keep() {
	if !s.better {
		return
	}
	s.better = false
	s.steps -= len(s.kinds) / 16
	for k := range s.kinds {
		s.kinds[k].best = s.kinds[k].taken
	}
}
