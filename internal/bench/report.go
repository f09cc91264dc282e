package main

import "strings"

// plotDir is where plots are, from the root.
const plotDir = "docs/plots"

// report is what a section found.
type report struct {
	turns    int // if not as many as asked for
	commands []string
	parts    []string // paragraphs and tables
	plots    []plot
}

// plot is a file of plotDir.
type plot struct {
	file, title string
	svg         []byte
}

// command notes what was run, as one would type it.
func (r *report) command(c string) { r.commands = append(r.commands, c) }

// text adds a paragraph.
func (r *report) text(t string) { r.parts = append(r.parts, t+"\n") }

// table adds a table. A cell that a row does not have is empty.
func (r *report) table(head []string, rows [][]string) {
	var b strings.Builder
	row := func(cells []string) {
		for i := range head {
			b.WriteString("| ")
			if i < len(cells) && cells[i] != "" {
				b.WriteString(strings.ReplaceAll(cells[i], "|", `\|`) + " ")
			}
		}
		b.WriteString("|\n")
	}
	row(head)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	for _, cells := range rows {
		row(cells)
	}
	r.parts = append(r.parts, b.String())
}

// plot adds a plot, and shows it.
func (r *report) plot(file, title string, svg []byte) {
	r.plots = append(r.plots, plot{file, title, svg})
	r.parts = append(r.parts, "!["+title+"]("+plotDir+"/"+file+")\n")
}

// block is what goes between the markers.
func (r *report) block(heading string) string {
	var commands strings.Builder
	for _, c := range r.commands {
		commands.WriteString("    " + c + "\n")
	}
	parts := append([]string{heading + "\n", commands.String()}, r.parts...)
	return strings.Join(parts, "\n")
}
