package stream

import "slices"

// likeliest says which packets have arrived when together they delivered ahead:
// those whose sizes add up to it or, where the rate has moved or the search would
// take too long, come near it from below; rest is what is missing then. Of equal
// packets it takes the oldest.
func likeliest(ahead Amount, sizes []Amount) (arrived []bool, rest Amount) {
	return likeliestOf(1, ahead, sizes)
}

// likeliestOf is likeliest as one of n searches that take no longer together than one.
func likeliestOf(n int, ahead Amount, sizes []Amount) (arrived []bool, rest Amount) {
	arrived = make([]bool, len(sizes))
	s := subset{ahead: ahead}
	for _, size := range sizes {
		if size > 0 && size <= ahead {
			s.add(size)
		}
	}
	slices.SortFunc(s.kinds, func(a, b kind) int {
		if a.size > b.size {
			return -1
		}
		return 1
	})
	s.steps, s.score = maxSteps/n, ahead
	s.search(0, 0)
	for _, k := range s.kinds {
		for i, left := 0, k.best; left > 0; i++ {
			if sizes[i] == k.size {
				arrived[i] = true
				left--
			}
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
	ahead Amount
	kinds []kind
	score Amount // what the best so far is short of ahead; 0 is exact
	steps int
}

func (s *subset) add(size Amount) {
	for i := range s.kinds {
		if s.kinds[i].size == size {
			s.kinds[i].n++
			return
		}
	}
	s.kinds = append(s.kinds, kind{size: size, n: 1})
}

// search tries every count of the kinds from i on, the largest sizes and counts
// first. sum is taken already.
func (s *subset) search(i int, sum Amount) {
	if s.steps--; s.steps < 0 || s.score == 0 {
		return
	}
	if score := s.ahead - sum; score < s.score {
		s.score = score
		for k := range s.kinds {
			s.kinds[k].best = s.kinds[k].taken
		}
	}
	if i == len(s.kinds) {
		return
	}
	k := &s.kinds[i]
	most := int(min(uint64(k.n), uint64((s.ahead-sum)/k.size)))
	for take := most; take >= 0 && s.score > 0; take-- {
		k.taken = take
		s.search(i+1, sum+k.size*Amount(take))
	}
	k.taken = 0
}
