package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
)

// What plots are drawn in is legible on white as well as on black: an image does not
// know what page it stands on.
const (
	ink  = "#737b86" // text and axes
	rule = "#737b864d"
)

// hues are of lines and bars. What lines of one hue have in common, dashes tell apart.
var hues = []string{"#3b8eea", "#d97f26", "#3da35d"}

// The size of a plot, and what its axes leave free around them.
const (
	plotWidth   = 760
	plotHeight  = 420
	leftMargin  = 76
	rightMargin = 24
	topMargin   = 44
	footMargin  = 56
)

// svg is a plot in the making.
type svg struct{ bytes.Buffer }

func newSVG(width, height int, title string) *svg {
	s := new(svg)
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" `+
		`font-family="system-ui, sans-serif" font-size="13" fill="%s">`, width, height, width, height, ink)
	s.put(`<title>%s</title>`, escaped(title))
	s.put(`<text x="%d" y="24" font-size="16" font-weight="600">%s</text>`, 16, escaped(title))
	return s
}

func (s *svg) put(format string, args ...any) { _, _ = fmt.Fprintf(s, format+"\n", args...) }

// text anchors t at a point: "start", "middle" or "end".
func (s *svg) text(x, y float64, anchor, t string) {
	s.put(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, escaped(t))
}

func (s *svg) line(x1, y1, x2, y2 float64, stroke string) {
	s.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`, x1, y1, x2, y2, stroke)
}

func (s *svg) done() []byte {
	s.put(`</svg>`)
	return s.Bytes()
}

func escaped(t string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(t)) // a Buffer takes everything
	return b.String()
}

// scale maps values onto an axis, from at low to to at high.
type scale struct {
	log       bool
	low, high float64
	from, to  float64
	ticks     []float64
}

// newScale spans all values: in decades if it is logarithmic, from zero if not.
func newScale(log bool, values []float64, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) && (!log || v > 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		low, high = 1, 1
	}
	s := scale{log: log, from: from, to: to}
	if log {
		s.spanDecades(low, high)
	} else {
		s.spanFromZero(min(low, 0), high)
	}
	return s
}

func (s *scale) spanDecades(low, high float64) {
	steps := []float64{1, 2, 5}
	if high/low > 1e3 {
		steps = steps[:1]
	}
	var all []float64
	for decade := math.Floor(math.Log10(low)); decade <= math.Ceil(math.Log10(high)); decade++ {
		for _, step := range steps {
			all = append(all, step*math.Pow(10, decade))
		}
	}
	// From the last tick at or below everything to the first at or above it.
	const near = 1e-9
	first, last := 0, len(all)-1
	for first < last && all[first+1] <= low*(1+near) {
		first++
	}
	for last > first+1 && all[last-1] >= high*(1-near) {
		last--
	}
	s.ticks = all[first : last+1]
	s.low, s.high = s.ticks[0], s.ticks[len(s.ticks)-1]
}

func (s *scale) spanFromZero(low, high float64) {
	if high <= low {
		high = low + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{5, 2} {
		if (high-low)/(m*step) >= 4 {
			step *= m
			break
		}
	}
	s.low, s.high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	for i := math.Round(s.low / step); i <= math.Round(s.high/step); i++ {
		s.ticks = append(s.ticks, i*step)
	}
}

// at is where v is on the axis; what lies beyond its ends is at them.
func (s scale) at(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.log {
		share = math.Log(max(v, s.low)/s.low) / math.Log(s.high/s.low)
	}
	return s.from + min(max(share, 0), 1)*(s.to-s.from)
}

// short spells a tick: 100, 10 k, 1 M.
func short(v float64) string {
	unit := ""
	switch abs := math.Abs(v); {
	case abs >= 1e6:
		v, unit = v/1e6, " M"
	case abs >= 1e4:
		v, unit = v/1e3, " k"
	case abs >= 1e3:
		return number(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + unit
}
