package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTheLongestNameThatFitsExplains(t *testing.T) {
	for _, c := range []struct{ name, as string }{
		{"aesni.openAVX512", "aesni.open*"},
		{"aesni.(*Keys).proveLanes", "aesni.(*Keys).prove*"},
		{"codec/ilp.PutPrepare", "codec/ilp.*"},
		{"engine/stream.(*Machine).plainBuild", "engine/stream.(*Machine).plainBuild"},
		{"kernel", "kernel"},
	} {
		if got, want := explain(c.name), explanations[c.as]; got != want || want == "" {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
	for _, name := range []string{"engine/stream.(*Machine).plainBuildAnew", "kernel of a nut", "sort.Sort", ""} {
		if got := explain(name); got != unexplained {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestEveryStageOfLoadgenIsExplained: its constants are the names.
func TestEveryStageOfLoadgenIsExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "loadgen", "stages.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "stage") || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		found++
		if name, err := strconv.Unquote(lit.Value); err != nil || explain(name) == unexplained {
			t.Errorf("%s is not explained", lit.Value)
		}
		return true
	})
	if found < 10 {
		t.Errorf("found %d stages", found)
	}
}

// TestWhatIsExplainedExists: functions and packages of this tree by their names.
func TestWhatIsExplainedExists(t *testing.T) {
	ours := regexp.MustCompile(`^((?:aesni|codec|engine|pool|transport)(?:/\w+)*)\.(?:\(\*(\w+)\)\.)?(\w*)(\*?)$`)
	declared := make(map[string][]string)
	checked := 0
	for key := range explanations {
		part := ours.FindStringSubmatch(key)
		if part == nil {
			continue
		}
		checked++
		if declared[part[1]] == nil {
			declared[part[1]] = functionsOf(t, filepath.Join("..", "..", filepath.FromSlash(part[1])))
		}
		exists := false
		for _, name := range declared[part[1]] {
			want := part[2] + "." + part[3]
			exists = exists || name == want || part[4] != "" && strings.HasPrefix(name, want)
		}
		if !exists {
			t.Errorf("there is no %s any more", key)
		}
	}
	if checked < 20 {
		t.Errorf("%d names are ours", checked)
	}
}

// functionsOf lists what a package declares, on whatever platform, as Type.Method or
// .Function.
func functionsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			names = append(names, receiverOf(f)+"."+f.Name.Name)
		}
	}
	return names
}

// receiverOf is the type that a function is a method of.
func receiverOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if g, ok := typ.(*ast.IndexExpr); ok {
		typ = g.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
