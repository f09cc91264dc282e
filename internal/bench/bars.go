package main

import (
	"slices"
	"strconv"
)

// bars is a bar plot, lying, over a logarithmic axis.
type bars struct {
	title, xTitle string
	bars          []bar
}

type bar struct {
	name string
	of   sample
}

const (
	barHeight = 30
	barStep   = 46
	nameWidth = 190
	ofSpace   = 80 // for the figure behind the longest bar
)

func (b bars) svg() []byte {
	height := topMargin + len(b.bars)*barStep + footMargin
	s := newSVG(plotWidth, height, b.title)
	var values []float64
	for _, one := range b.bars {
		values = append(values, one.of...)
	}
	if len(values) > 0 {
		// A bar that begins at its own end is none.
		values = append(values, slices.Min(values)/2)
	}
	x := newScale(true, values, nameWidth, plotWidth-ofSpace)
	foot := float64(height - footMargin)
	for _, t := range x.ticks {
		s.line(x.at(t), topMargin, x.at(t), foot, rule)
		s.text(x.at(t), foot+20, "middle", short(t))
	}
	for i, one := range b.bars {
		if len(one.of) == 0 {
			continue
		}
		top := float64(topMargin + i*barStep + (barStep-barHeight)/2)
		mid, end := top+barHeight/2, x.at(one.of.median())
		s.put(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`, nameWidth, top, end-nameWidth, barHeight, hues[i%len(hues)])
		s.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"/>`,
			x.at(slices.Min(one.of)), mid, x.at(slices.Max(one.of)), mid, ink)
		s.text(nameWidth-10, mid+5, "end", one.name)
		s.text(x.at(slices.Max(one.of))+8, mid+5, "start", number(one.of.median()))
	}
	s.line(nameWidth, topMargin, nameWidth, foot, ink)
	s.text(float64(nameWidth+plotWidth-ofSpace)/2, float64(height-12), "middle", b.xTitle+", logarithmic")
	return s.done()
}

// coordinates are a point of a path.
func coordinates(x, y float64) string {
	return strconv.FormatFloat(x, 'f', 1, 64) + "," + strconv.FormatFloat(y, 'f', 1, 64)
}
