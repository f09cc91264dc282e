package vectors

import "testing"

// Differences lists the vectors on which Millrace deliberately differs from the
// implementation that made them: the name of the vector, and why.
type Differences map[string]string

// Checker compares vectors with what Millrace does, one by one.
type Checker struct {
	tb     testing.TB
	listed Differences
	seen   map[string]bool // by name: whether it differed
}

// Check begins a comparison. When the test ends, every row of d must have named
// a vector that did differ: a list that outlives its reasons is an error too.
func (d Differences) Check(tb testing.TB) *Checker {
	c := &Checker{tb: tb, listed: d, seen: make(map[string]bool)}
	tb.Cleanup(func() {
		tb.Helper()
		for name, reason := range d {
			if reason == "" {
				tb.Errorf("difference %q has no reason", name)
			}
			if differed, ok := c.seen[name]; !ok {
				tb.Errorf("stale difference: no vector is named %q", name)
			} else if !differed {
				tb.Errorf("stale difference: %q no longer differs", name)
			}
		}
	})
	return c
}

// Case records the outcome for one vector: why it differs, or "" if Millrace gives
// the recorded result. A difference that is not listed fails the test.
func (c *Checker) Case(name, difference string) {
	c.tb.Helper()
	if _, twice := c.seen[name]; twice {
		c.tb.Errorf("two vectors are named %q", name)
	}
	c.seen[name] = difference != ""
	if difference == "" {
		return
	}
	if _, ok := c.listed[name]; !ok {
		c.tb.Errorf("%s: %s", name, difference)
	}
}
