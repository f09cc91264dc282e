package main

import (
	"math"
	"slices"
	"strings"
)

// chart is lines over two axes.
type chart struct {
	title        string
	xTitle       string
	yTitle       string
	xLog, yLog   bool
	lines        []chartLine
	xTicksAtData bool // a tick at each x that there is, and no other
}

type chartLine struct {
	name   string
	hue    int // of hues
	dashed bool
	points []point
}

// point is a median at x, and what it lies between.
type point struct{ x, y, low, high float64 }

func pointOf(x float64, s sample) point {
	return point{x, s.median(), slices.Min(s), slices.Max(s)}
}

func (c chart) svg() []byte {
	legend := 20 * ((len(c.lines) + 2) / 3)
	height := plotHeight + legend
	s := newSVG(plotWidth, height, c.title)
	var xs, ys []float64
	for _, l := range c.lines {
		for _, p := range l.points {
			xs = append(xs, p.x)
			ys = append(ys, p.y, p.low, p.high)
		}
	}
	left, right := float64(leftMargin), float64(plotWidth-rightMargin)
	top, foot := float64(topMargin+legend), float64(height-footMargin)
	x := newScale(c.xLog, xs, left, right)
	if c.xTicksAtData {
		slices.Sort(xs)
		x.ticks = slices.Compact(xs)
	}
	y := newScale(c.yLog, ys, foot, top)
	c.axes(s, x, y, height)
	for i, l := range c.lines {
		c.legend(s, i, l)
		drawLine(s, x, y, l, hues[l.hue])
	}
	return s.done()
}

func (c chart) axes(s *svg, x, y scale, height int) {
	for _, t := range y.ticks {
		s.line(x.from, y.at(t), x.to, y.at(t), rule)
		s.text(x.from-8, y.at(t)+4, "end", short(t))
	}
	for _, t := range x.ticks {
		s.line(x.at(t), y.from, x.at(t), y.from+5, ink)
		s.text(x.at(t), y.from+20, "middle", short(t))
	}
	s.line(x.from, y.from, x.to, y.from, ink)
	s.line(x.from, y.from, x.from, y.to, ink)
	s.text((x.from+x.to)/2, float64(height-12), "middle", c.xTitle)
	mid := (y.from + y.to) / 2
	s.put(`<text x="18" y="%.1f" text-anchor="middle" transform="rotate(-90 18 %.1f)">%s</text>`, mid, mid, escaped(c.yTitle))
}

// legend is three names a row below the title.
func (c chart) legend(s *svg, i int, l chartLine) {
	x, y := float64(leftMargin+i%3*225), float64(topMargin+i/3*20)
	s.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2.5"%s/>`,
		x, y, x+24, y, hues[l.hue], dashes(l.dashed))
	s.text(x+31, y+4, "start", l.name)
}

func drawLine(s *svg, x, y scale, l chartLine, hue string) {
	var path strings.Builder
	command := "M"
	for _, p := range l.points {
		if math.IsNaN(p.y) {
			continue
		}
		path.WriteString(command + coordinates(x.at(p.x), y.at(p.y)))
		command = " L"
	}
	s.put(`<path d="%s" fill="none" stroke="%s" stroke-width="2"%s/>`, path.String(), hue, dashes(l.dashed))
	for _, p := range l.points {
		if math.IsNaN(p.y) {
			continue
		}
		s.line(x.at(p.x), y.at(p.low), x.at(p.x), y.at(p.high), hue)
		s.put(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x.at(p.x), y.at(p.y), hue)
	}
}

func dashes(dashed bool) string {
	if dashed {
		return ` stroke-dasharray="6 4"`
	}
	return ""
}
