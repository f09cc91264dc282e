package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The program in README is one that is compiled.
func TestReadmeShowsTheMinimalExample(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(root, "examples", "minimal", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "package main\n")
	code = "package main\n" + code
	if !strings.Contains(string(readme), "```go\n"+code+"```\n") {
		t.Error("README's program is not examples/minimal/main.go")
	}
	if n := strings.Count(code, "\n"); n >= 30 {
		t.Errorf("%d lines", n)
	}
}
