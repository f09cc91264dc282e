package transport

import "time"

// wallEvery is for how long the time of day is reckoned from the monotonic clock alone,
// which is half the cost of reading both: so late a loop that has no pause learns that the
// system's clock was set, or that the machine has slept.
const wallEvery = 10 * time.Millisecond

// clock is what a loop reads at the beginning of each wake-up.
type clock struct {
	read  time.Time // when both clocks were read
	unix  int64     // the same, in Unix ns
	began time.Duration
}

// begin is the time of day, in Unix ns, from which elapsed runs.
func (c *clock) begin() int64 {
	if c.began = time.Since(c.read); c.began >= wallEvery {
		c.read, c.began = time.Now(), 0
		c.unix = c.read.UnixNano()
	}
	return c.unix + int64(c.began)
}

// elapsed is how long ago begin was.
func (c *clock) elapsed() time.Duration { return time.Since(c.read) - c.began }
