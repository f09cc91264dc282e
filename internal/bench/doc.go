// Command bench runs every benchmark that BENCHMARKS.md shows, beside what each is
// compared with, and writes the tables and plots: `make bench`.
//
// A section is one table or two: it runs its contenders in turns, as often as -count
// says, since machines drift by half within the hour and only figures of one run can be
// compared. What is reported is the median, with the least and the greatest in brackets;
// ratios are of medians, and differences are medians of the differences of each turn.
//
//	section_*.go   what is run, and the tables
//	runner.go      programs with a bound of time: loadgen, test binaries, node
//	gobench.go     what go test -bench prints
//	explain.go     what the parts of a profile do, so that none goes unexplained
//	figures.go     samples, medians, numbers as they are written
//	report.go      a section's block of BENCHMARKS.md
//	markers.go     where it goes
//	chart.go       line plots, bars.go bar plots, svg.go what both are drawn with
package main
