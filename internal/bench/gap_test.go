package main

import (
	"testing"
	"time"
)

func TestTheLongestGapIsPartOfTheTime(t *testing.T) {
	const d = 5 * time.Millisecond
	begun := time.Now()
	gap := longestGap(d)
	took := time.Since(begun)
	if took < d || gap <= 0 || gap > took {
		t.Errorf("a gap of %v in %v, of which %v were asked for", gap, took, d)
	}
}
