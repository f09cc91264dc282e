package main

import (
	"math"
	"slices"
	"strconv"
)

// sample is a figure, once for each turn.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// String is the median, and what it lies between in brackets if that differs.
func (s sample) String() string {
	if len(s) == 0 {
		return ""
	}
	median, least, most := number(s.median()), number(slices.Min(s)), number(slices.Max(s))
	if least == most {
		return median
	}
	return median + " [" + least + ", " + most + "]"
}

// in is the sample in another unit.
func (s sample) in(unit float64) sample {
	t := make(sample, len(s))
	for i, v := range s {
		t[i] = v / unit
	}
	return t
}

// minus is the differences of the turns. A turn that either has not is left out.
func (s sample) minus(t sample) sample {
	n := min(len(s), len(t))
	d := make(sample, n)
	for i := range d {
		d[i] = s[i] - t[i]
	}
	return d
}

// over is the ratio of the medians, as it is written; empty where one is missing.
func (s sample) over(t sample) string {
	r := s.median() / t.median()
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return ""
	}
	return number(r)
}

// leastOver is the ratio of the least ones.
func (s sample) leastOver(t sample) string {
	if len(s) == 0 || len(t) == 0 {
		return ""
	}
	return sample{slices.Min(s)}.over(sample{slices.Min(t)})
}

// number spells v with three digits that count or all before the point, and a comma at
// every third.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	abs := math.Abs(v)
	digits := 0
	switch {
	case abs == 0 || abs >= 99.95:
	case abs >= 9.995:
		digits = 1
	case abs >= 0.0995:
		digits = 2
	default:
		digits = 4
	}
	text := strconv.FormatFloat(abs, 'f', digits, 64)
	whole := len(text)
	if digits > 0 {
		whole -= digits + 1
	}
	for i := whole - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 {
		text = "−" + text
	}
	return text
}

// figures are samples by what was run and by unit.
type figures struct {
	names []string // of what was run, in the order in which it came
	of    map[string]map[string]sample
}

func (f *figures) add(name, unit string, v float64) {
	if f.of == nil {
		f.of = make(map[string]map[string]sample)
	}
	if f.of[name] == nil {
		f.of[name] = make(map[string]sample)
		f.names = append(f.names, name)
	}
	f.of[name][unit] = append(f.of[name][unit], v)
}

// get is a sample, or nil.
func (f *figures) get(name, unit string) sample { return f.of[name][unit] }
