package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(mod), "module "+Module+"\n") {
		t.Fatalf("%s is not the root of %s: %v", dir, Module, err)
	}
	return dir
}

func load(t *testing.T) []Source {
	t.Helper()
	sources, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	// An empty list would pass every check below.
	if !slices.ContainsFunc(sources, func(s Source) bool { return s.Path == "internal/archtest" }) {
		t.Fatalf("go list found %d packages, but not this one", len(sources))
	}
	return sources
}

func report(t *testing.T, bad []string) {
	t.Helper()
	for _, b := range bad {
		t.Error(b)
	}
}

func TestPackagesImportOnlyWhatTheirLayerAllows(t *testing.T) {
	var packages []Package
	for _, s := range load(t) {
		packages = append(packages, s.Package)
	}
	report(t, CheckImports(packages))
}

func TestPurePackagesHaveNoClockGoroutineOrChangingGlobal(t *testing.T) {
	for _, s := range load(t) {
		for _, files := range s.Files {
			if len(files) > 0 {
				report(t, CheckPurity(s.Path, s.Fset, files))
			}
		}
	}
}

func TestFilesAreShortFormattedAndFinished(t *testing.T) {
	dir := root(t)
	names, err := Texts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "internal/archtest/archtest_test.go") || !slices.Contains(names, "go.mod") {
		t.Fatalf("the walk found %d files, but not this one", len(names))
	}
	machine := []string{dir + string(filepath.Separator)}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		machine = append(machine, home+string(filepath.Separator))
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		report(t, CheckFile(name, content, machine...))
	}
}
