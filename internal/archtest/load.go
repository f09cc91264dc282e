package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Source is a package of the module with its parsed non-test files, those for
// other platforms and build tags included.
type Source struct {
	Package
	Fset *token.FileSet
	// Files come in groups that belong together under some build tags; a
	// name may be declared in several groups. The first group is this
	// platform's.
	Files [][]*ast.File
}

// Load lists the packages of the module at root with the go command, and parses
// them.
func Load(root string) ([]Source, error) {
	cmd := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,GoFiles,CgoFiles,IgnoredGoFiles", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("archtest: go list: %w: %s", err, stderr.String())
	}
	var sources []Source
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir, ImportPath                   string
			GoFiles, CgoFiles, IgnoredGoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return sources, nil
		} else if err != nil {
			return nil, fmt.Errorf("archtest: go list: %w", err)
		}
		s := Source{Fset: token.NewFileSet()}
		s.Path = strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, Module), "/")
		mine, err := s.parse(p.Dir, slices.Concat(p.GoFiles, p.CgoFiles))
		if err != nil {
			return nil, err
		}
		s.Files = append(s.Files, mine)
		for _, name := range p.IgnoredGoFiles {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			other, err := s.parse(p.Dir, []string{name})
			if err != nil {
				return nil, err
			}
			s.Files = append(s.Files, other)
		}
		if len(slices.Concat(s.Files...)) > 0 { // else a folder of tests alone
			sources = append(sources, s)
		}
	}
}

func (s *Source) parse(dir string, names []string) ([]*ast.File, error) {
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(s.Fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("archtest: %w", err)
		}
		files = append(files, f)
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, fmt.Errorf("archtest: %s: %w", name, err)
			}
			if !slices.Contains(s.Imports, imp) {
				s.Imports = append(s.Imports, imp)
			}
		}
	}
	return files, nil
}

// Texts returns the names, relative to root and with slashes, of the files that
// CheckFile is to read: what is in the tree, but for version control, installed
// npm packages and built binaries.
func Texts(root string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "bin":
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); d.Type().IsRegular() && IsText(name) {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
