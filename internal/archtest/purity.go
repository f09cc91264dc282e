package archtest

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
)

// clocks are the functions of package time that read a clock or wait for one.
var clocks = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

// generators are what a pure package may take from math/rand/v2: generators that
// are values, seeded by the caller. The rest draws from the process's own.
var generators = []string{"ChaCha8", "New", "NewChaCha8", "NewPCG", "PCG", "Rand", "Source"}

// environment are the functions of package os that no library package calls.
var environment = []string{"Clearenv", "Environ", "ExpandEnv", "Getenv", "LookupEnv", "Setenv", "Unsetenv"}

// tierVariable is the one environment variable below cmd, and the package that
// reads it.
const (
	tierVariable = "MILLRACE_AESNI"
	tierPackage  = "aesni"
)

// commands are the packages that may read the environment and end the process.
var commands = []string{"loadgen/...", "cmd/...", "examples/...", "internal/..."}

// CheckPurity returns a sentence for each place in the files of the package at
// path, relative to Module, where a pure package stops being pure or a library
// package acts like a command. The files must be all of the package that are to
// be checked, parsed into fset.
func CheckPurity(pkg string, fset *token.FileSet, files []*ast.File) []string {
	c := &purity{path: pkg, fset: fset, pure: anyMatches(pure, pkg), library: !anyMatches(commands, pkg)}
	c.info = &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	// Imports are not followed, and type errors are of no interest here: the
	// compiler finds those. What is wanted is which name means what.
	conf := types.Config{Importer: noImporter{}, Error: func(error) {}}
	c.pkg, _ = conf.Check(pkg, fset, files, c.info)
	for _, f := range files {
		ast.Inspect(f, c.visit)
	}
	return c.bad
}

// noImporter makes every import an empty package of the name that its path tells.
type noImporter struct{}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

func (noImporter) Import(imported string) (*types.Package, error) {
	name := path.Base(imported)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(imported))
	}
	p := types.NewPackage(imported, name)
	p.MarkComplete()
	return p, nil
}

type purity struct {
	path          string
	pure, library bool
	fset          *token.FileSet
	info          *types.Info
	pkg           *types.Package
	bad           []string
}

func (c *purity) report(at ast.Node, format string, args ...any) {
	c.bad = append(c.bad, fmt.Sprintf("%s: %s", c.fset.Position(at.Pos()), fmt.Sprintf(format, args...)))
}

func (c *purity) visit(n ast.Node) bool {
	if call, ok := n.(*ast.CallExpr); ok {
		if from, name := c.qualified(call.Fun); from == "os" && c.path == tierPackage && (name == "Getenv" || name == "LookupEnv") && c.isTierVariable(call.Args) {
			return false
		}
	}
	if sel, ok := n.(*ast.SelectorExpr); ok {
		c.selector(sel)
	}
	if !c.pure {
		return true
	}
	switch n := n.(type) {
	case *ast.GoStmt:
		c.report(n, "go statement in a pure package")
	case *ast.ChanType:
		c.report(n, "channel in a pure package")
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			c.assigned(left)
		}
	case *ast.IncDecStmt:
		c.assigned(n.X)
	}
	return true
}

func (c *purity) selector(sel *ast.SelectorExpr) {
	from, name := c.qualified(sel)
	switch {
	case c.pure && from == "time" && slices.Contains(clocks, name):
		c.report(sel, "time.%s in a pure package: the time is handed in", name)
	case c.pure && from == "math/rand/v2" && !slices.Contains(generators, name):
		c.report(sel, "rand.%s in a pure package: random octets are handed in", name)
	case c.library && from == "os" && slices.Contains(environment, name):
		c.report(sel, "os.%s: only commands read the environment", name)
	case c.library && from == "os" && name == "Exit":
		c.report(sel, "os.Exit: only commands end the process")
	}
}

// qualified splits an expression like time.Now into package and name; an import
// under another name does not deceive it.
func (c *purity) qualified(e ast.Expr) (from, name string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	p, ok := c.info.Uses[id].(*types.PkgName)
	if !ok {
		return "", ""
	}
	return p.Imported().Path(), sel.Sel.Name
}

// assigned reports an assignment to, or into, a variable of the package itself.
func (c *purity) assigned(left ast.Expr) {
	for {
		switch e := left.(type) {
		case *ast.SelectorExpr:
			left = e.X
		case *ast.IndexExpr:
			left = e.X
		case *ast.StarExpr:
			left = e.X
		case *ast.ParenExpr:
			left = e.X
		case *ast.Ident:
			if v, ok := c.info.Uses[e].(*types.Var); ok && c.pkg != nil && v.Parent() == c.pkg.Scope() {
				c.report(e, "%s is a global of a pure package and changes here", e.Name)
			}
			return
		default:
			return
		}
	}
}

// isTierVariable says whether the only argument is a constant, named or not, of
// the one variable that may be read.
func (c *purity) isTierVariable(args []ast.Expr) bool {
	if len(args) != 1 {
		return false
	}
	v := c.info.Types[args[0]].Value
	return v != nil && v.Kind() == constant.String && constant.StringVal(v) == tierVariable
}
