// Package archtest keeps the architecture: who may import whom, which packages
// are pure, and a few habits of every file. Its tests run the checks over the
// whole module; break a rule and `go test ./internal/archtest` names the file,
// the line and the rule.
//
//   - [CheckImports] holds the layers: direct imports of non-test files against
//     the table in imports.go. A package without a row is itself a violation, so
//     that a new folder has to say where it belongs.
//   - [CheckPurity] holds the pure packages to having no clock, no goroutine, no
//     channel and no changing global, by their syntax trees; and every library
//     package to reading no environment and never ending the process.
//   - [CheckFile] holds single files to size, format, no unfinished work left
//     behind and no path of somebody's machine.
//
// Each check is a function over plain values, so that its own tests feed it one
// violation of each kind and see it fail.
package archtest
