package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// drawn reads a plot: its texts, and that everything lies inside of it.
func drawn(t *testing.T, plot []byte) (texts []string, elements map[string]int) {
	t.Helper()
	elements = make(map[string]int)
	d := xml.NewDecoder(bytes.NewReader(plot))
	var width, height float64
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, elements
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, plot)
		}
		switch e := token.(type) {
		case xml.StartElement:
			elements[e.Name.Local]++
			inText = e.Name.Local == "text"
			for _, a := range e.Attr {
				v, err := strconv.ParseFloat(a.Value, 64)
				switch name := a.Name.Local; {
				case e.Name.Local == "svg" && name == "width":
					width = v
				case e.Name.Local == "svg" && name == "height":
					height = v
				case strings.Contains("x x1 x2 cx", name) && (err != nil || v < 0 || v > width),
					strings.Contains("y y1 y2 cy", name) && (err != nil || v < 0 || v > height):
					t.Errorf("%s: %s=%q lies outside of %v × %v", e.Name.Local, name, a.Value, width, height)
				}
			}
		case xml.CharData:
			if inText {
				texts = append(texts, string(e))
			}
			inText = false
		}
	}
}

func TestChartsAreWellFormedAndLabelled(t *testing.T) {
	c := chart{title: `Latency <"&'>`, xTitle: "offered & due", yTitle: "µs", yLog: true, lines: []chartLine{
		{name: "p50", points: []point{{77_000, 240, 100, 900}, {390_000, 1500, 1400, 1600}}},
		{name: "null <p50>", dashed: true, points: []point{{77_000, math.NaN(), math.NaN(), math.NaN()}, {390_000, 30, 29, 31}}},
		{name: "nothing"},
	}}
	texts, elements := drawn(t, c.svg())
	for _, want := range []string{`Latency <"&'>`, "offered & due", "µs", "p50", "null <p50>", "100", "1,000", "400 k"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no %q among %q", want, texts)
		}
	}
	if elements["circle"] != 3 || elements["path"] != 3 {
		t.Errorf("%v", elements)
	}
}

func TestBarsAreWellFormedAndLabelled(t *testing.T) {
	b := bars{title: "Rate", xTitle: "a second", bars: []bar{
		{"JavaScript", sample{7688, 7242, 8132}}, {"Millrace", sample{884_287}}, {"null & engine", sample{14.7e6, 12.3e6, 16.3e6}}, {"not run", nil},
	}}
	texts, elements := drawn(t, b.svg())
	for _, want := range []string{"Rate", "a second, logarithmic", "JavaScript", "7,688", "884,287", "14,700,000", "1 M"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no %q among %q", want, texts)
		}
	}
	if elements["rect"] != 3 {
		t.Errorf("%v", elements)
	}
	drawn(t, bars{title: "nothing"}.svg())
}

func TestScalesHoldAllAndTickRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		log    bool
		values []float64
		want   []float64
	}{
		{false, []float64{700, 1200}, []float64{0, 200, 400, 600, 800, 1000, 1200}},
		{false, []float64{-3, 12}, []float64{-4, -2, 0, 2, 4, 6, 8, 10, 12}},
		{true, []float64{14, 6000}, []float64{10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000}},
		{true, []float64{1000, 1_000_000}, []float64{1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000}},
		{true, []float64{4000, 15e6}, []float64{1000, 10_000, 100_000, 1e6, 1e7, 1e8}},
		{true, []float64{100}, []float64{100, 200}},
		{false, nil, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
	} {
		s := newScale(c.log, c.values, 0, 100)
		near := slices.EqualFunc(s.ticks, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9*(1+math.Abs(b)) })
		if !near {
			t.Errorf("%v: %v, want %v", c.values, s.ticks, c.want)
		}
		if s.at(s.low) != 0 || math.Abs(s.at(s.high)-100) > 1e-9 {
			t.Errorf("%v: %v to %v", c.values, s.at(s.low), s.at(s.high))
		}
		for _, v := range c.values {
			if v < s.low*(1-1e-9)-1e-9 && v < s.low || v > s.high*(1+1e-9) {
				t.Errorf("%v lies outside of %v to %v", v, s.low, s.high)
			}
		}
	}
}
