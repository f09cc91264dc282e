package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the module path; packages are named relative to it below.
const Module = "github.com/millrace-ilp/millrace"

// Package is what CheckImports wants to know of a package.
type Package struct {
	// Path is relative to Module: "codec/oer".
	Path string
	// Imports are the full import paths of all its non-test files, for
	// every platform and build tag.
	Imports []string
}

// rule is one row of the layer table. Patterns are those of the go command:
// "codec/..." is codec and all below it, "pool" is that package alone.
type rule struct {
	packages string
	// std lists the only standard packages allowed; nil allows all but
	// denyStd.
	std     []string
	denyStd []string
	// own and third are the allowed packages of this module and of others.
	own   []string
	third []string
	// free lifts every restriction.
	free bool
}

// impure are the standard packages with a clock behind the caller's back, a
// lock, randomness, or I/O. Packages time and math/rand/v2 are not among them:
// durations and seeded generators are values. CheckPurity denies their rest.
var impure = []string{
	"context", "crypto/rand", "io/fs", "io/ioutil", "log/...", "math/rand", "net/...",
	"os/...", "plugin", "runtime/...", "sync/...", "syscall/...", "testing/...",
}

// machineStd is all that the pure machines may use of the standard library.
var machineStd = []string{
	"bytes", "cmp", "encoding/base64", "encoding/binary", "errors", "iter", "math", "math/bits", "slices", "strconv", "unsafe",
}

// rules is the layer table; the first row that matches a package decides.
var rules = []rule{
	{packages: "codec/...", denyStd: impure, own: []string{"codec/..."}},
	{packages: "aesni/...", own: []string{"aesni/..."}, third: []string{"github.com/klauspost/cpuid/v2", "golang.org/x/sys/..."}},
	{packages: "pool/slab", denyStd: impure},
	{packages: "pool", own: []string{"pool/slab"}, third: []string{"github.com/valyala/bytebufferpool"}},
	{packages: "engine/stream/...", std: machineStd, own: []string{"codec/...", "aesni", "pool/slab"}},
	{packages: "engine/forward/...", std: machineStd, own: []string{"codec/...", "aesni", "pool/slab"}},
	// Which registers there are to mask with, it asks as aesni does.
	{packages: "transport/ws/...", denyStd: impure, own: []string{"codec/...", "pool", "pool/slab"}, third: []string{"github.com/klauspost/cpuid/v2"}},
	// A session is the peer of one framing: it builds its answers in place,
	// inside frames, so that nothing is copied. The framing knows no session.
	{packages: "transport/session/...", denyStd: impure, own: []string{"codec/...", "pool", "pool/slab", "transport/ws"}},
	{
		packages: "transport/...",
		own:      []string{"codec/...", "aesni", "pool", "pool/slab", "transport/..."},
		third:    []string{"github.com/panjf2000/gnet/v2/...", "github.com/gobwas/ws/...", "golang.org/x/sys/..."},
	},
	// SPSP is HTTP on one side and the engine's credentials on the other: it has no
	// business with sockets, pools or keys.
	{packages: "engine/spsp/...", own: []string{"engine", "engine/stream", "codec/..."}},
	{
		packages: "engine/...",
		own:      []string{"codec/...", "aesni", "pool", "pool/slab", "transport/...", "engine/..."},
		third:    []string{"golang.org/x/sys/..."},
	},
	{packages: "profiles"},
	{packages: "loadgen/...", free: true},
	{packages: "cmd/...", free: true},
	{packages: "examples/...", free: true},
	{packages: "internal/...", free: true},
}

// pure are the packages that CheckPurity holds to having no clock, goroutine,
// channel or changing global.
var pure = []string{
	"codec/...", "pool/slab", "engine/stream/...", "engine/forward/...", "transport/ws/...", "transport/session/...",
}

// CheckImports returns a sentence for each import that the layer table does not
// allow, and for each package that it does not know.
func CheckImports(packages []Package) []string {
	var bad []string
	for _, p := range packages {
		r, ok := ruleFor(p.Path)
		if !ok {
			bad = append(bad, fmt.Sprintf("%s: no rule in internal/archtest says what this package may import", p.Path))
			continue
		}
		for _, imp := range p.Imports {
			if why := r.refuses(imp); why != "" {
				bad = append(bad, fmt.Sprintf("%s imports %s: %s", p.Path, imp, why))
			}
		}
	}
	return bad
}

func ruleFor(path string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, path) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// refuses says why the rule's packages may not import imp, or "".
func (r rule) refuses(imp string) string {
	own, isOwn := strings.CutPrefix(imp, Module+"/")
	first, _, _ := strings.Cut(imp, "/")
	switch {
	case r.free:
		return ""
	case imp == Module || isOwn:
		if !anyMatches(r.own, own) {
			return "not a package that " + r.packages + " may build on"
		}
	case strings.Contains(first, "."):
		if !anyMatches(r.third, imp) {
			return "not a module that " + r.packages + " may use"
		}
	case r.std != nil:
		if !anyMatches(r.std, imp) {
			return "not among the few standard packages that " + r.packages + " may use"
		}
	case anyMatches(r.denyStd, imp):
		return r.packages + " has no I/O, no lock, no clock and no randomness of its own"
	}
	return ""
}

func anyMatches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return path == tree || ok && strings.HasPrefix(path, tree+"/")
}
