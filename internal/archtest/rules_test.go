package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Every rule is shown to fail: one violation of each kind, and beside it the
// nearest thing that is allowed.
func TestCheckImportsFailsOnEachKindOfViolation(t *testing.T) {
	const (
		gnet   = "github.com/panjf2000/gnet/v2"
		gobwas = "github.com/gobwas/ws"
		pools  = "github.com/valyala/bytebufferpool"
		cpuid  = "github.com/klauspost/cpuid/v2"
		xsys   = "golang.org/x/sys/unix"
	)
	own := func(p string) string { return Module + "/" + p }
	for _, c := range []struct {
		path, imp string
		allowed   bool
	}{
		{"codec/ilp", own("codec/oer"), true},
		{"codec/ilp", "encoding/binary", true},
		{"codec/ilp", pools, false},
		{"codec/ilp", own("aesni"), false},
		{"codec/ilp", own("pool/slab"), false},
		{"codec/ilp", "sync", false},
		{"codec/ilp", "sync/atomic", false},
		{"codec/ilp", "os", false},
		{"codec/ilp", "net/url", false},
		{"codec", "net", false},

		{"aesni", cpuid, true},
		{"aesni", "golang.org/x/sys/cpu", true},
		{"aesni", "crypto/aes", true},
		{"aesni", own("codec/ilp"), false},
		{"aesni", "github.com/minio/sha256-simd", false},

		{"pool/slab", "unsafe", true},
		{"pool/slab", "sync", false},
		{"pool/slab", "time", true}, // its clocks are CheckPurity's
		{"pool/slab", pools, false},
		{"pool/slab", own("pool"), false},
		{"pool", pools, true},
		{"pool", "sync", true},
		{"pool", own("pool/slab"), true},
		{"pool", own("codec/oer"), false},
		{"pool", gnet, false},

		{"engine/stream", own("codec/frame"), true},
		{"engine/stream", own("aesni"), true},
		{"engine/stream", own("pool/slab"), true},
		{"engine/stream", "math/bits", true},
		{"engine/stream", "errors", true},
		{"engine/stream", own("pool"), false},
		{"engine/stream", own("engine"), false},
		{"engine/stream", own("transport/ws"), false},
		{"engine/stream", own("internal/sim"), false},
		{"engine/stream", "time", false},
		{"engine/stream", "sync", false},
		{"engine/stream", "fmt", false}, // it can write to files
		{"engine/stream", "crypto/rand", false},
		{"engine/stream", "math/rand/v2", false},
		{"engine/stream", xsys, false},
		{"engine/stream/deep", "time", false},
		{"engine/forward", own("codec/ilp"), true},
		{"engine/forward", "context", false},
		{"engine/forward", own("engine/stream"), false},

		{"transport/ws", own("codec/btp"), true},
		{"transport/ws", own("pool"), true},
		{"transport/ws", "unicode/utf8", true},
		{"transport/ws", "github.com/klauspost/cpuid/v2", true},
		{"transport/ws", gobwas, false},
		{"transport/ws", "net", false},
		{"transport/ws", own("transport"), false},
		{"transport/ws", "math/rand/v2", true}, // its global generator is CheckPurity's
		{"transport/ws", "math/rand", false},
		{"transport/session", own("pool/slab"), true},
		{"transport/session", own("transport/ws"), true},
		{"transport/ws", own("transport/session"), false},
		{"transport/session", own("transport"), false},
		{"transport/session", "sync/atomic", false},
		{"transport/session", own("aesni"), false},

		{"transport", gnet, true},
		{"transport", gnet + "/pkg/logging", true},
		{"transport", gobwas, true},
		{"transport", "crypto/tls", true},
		{"transport", xsys, true},
		{"transport", own("transport/session"), true},
		{"transport", own("engine"), false},
		{"transport", own("engine/stream"), false},
		{"transport", own("internal/nullengine"), false},
		{"transport", "github.com/gorilla/websocket", false},

		{"engine", own("engine/stream"), true},
		{"engine", own("transport"), true},
		{"engine", "log/slog", true},
		{"engine", gnet, false},
		{"engine", own("internal/sim"), false},
		{"engine", own("profiles"), false},
		{"engine", own("loadgen"), false},
		{"engine/ledger", "database/sql", true},

		{"engine/spsp", own("engine"), true},
		{"engine/spsp", "net/http", true},
		{"engine/spsp", own("transport"), false},
		{"engine/spsp", own("aesni"), false},

		{"profiles", "embed", true},
		{"profiles", own("engine"), false},

		{"loadgen", own("internal/nullengine"), true},
		{"loadgen", "github.com/HdrHistogram/hdrhistogram-go", true},
		{"cmd/millrace", own("engine"), true},
		{"examples/receive", own("engine"), true},
		{"internal/sim", own("engine/stream"), true},

		{"", "fmt", false},       // no rule: a package at the root
		{"wallet", "fmt", false}, // no rule: a new folder
		{"codecs", "fmt", false}, // a prefix is not a folder
	} {
		t.Run(fmt.Sprintf("%s imports %s", c.path, c.imp), func(t *testing.T) {
			bad := CheckImports([]Package{{Path: c.path, Imports: []string{c.imp}}})
			if allowed := len(bad) == 0; allowed != c.allowed {
				t.Errorf("allowed: %t, want %t %q", allowed, c.allowed, bad)
			}
		})
	}
}

func TestCheckPurityFailsOnEachKindOfViolation(t *testing.T) {
	for _, c := range []struct {
		path, body string
		want       string // part of the complaint; empty: allowed
	}{
		{"codec/oer", `var n = time.Now()`, "time.Now"},
		{"codec/oer", `var n = clock.Now()`, "time.Now"},
		{"pool/slab", `func f() { time.Sleep(1) }`, "time.Sleep"},
		{"engine/stream", `func f() { <-time.After(1) }`, "time.After"},
		{"transport/session", `var f = time.AfterFunc`, "time.AfterFunc"},
		{"transport/ws", `func f() { time.NewTimer(1) }`, "time.NewTimer"},
		{"transport/ws", `var d = 3 * time.Second`, ""},
		{"codec/oer", `type t struct{}; func (t) Now() {}; func f(time t) { time.Now() }`, ""},
		{"transport/ws", `var n = rand.Uint32()`, "rand.Uint32"},
		{"transport/ws", `func f(seed [32]byte) *rand.ChaCha8 { return rand.NewChaCha8(seed) }`, ""},
		{"transport", `var n = rand.Uint32()`, ""},
		{"transport", `var n = time.Now()`, ""},
		{"engine", `func f() { go f() }`, ""},
		{"engine/stream", `func f() { go f() }`, "go statement"},
		{"engine/forward", `var c chan int`, "channel"},
		{"engine/stream", `var g int; func f() { g = 1 }`, "global"},
		{"engine/stream", `var g int; func f() { g++ }`, "global"},
		{"engine/stream", `var g [4]struct{ a int }; func f() { g[1].a += 2 }`, "global"},
		{"engine/stream", `var g = new(int); func f() { *g = 2 }`, "global"},
		{"engine/stream", `var g [4]int; func f() int { g := g; g[0] = 1; return g[0] }`, ""},
		{"engine", `var g int; func f() { g = 1 }`, ""},

		{"engine", `var v = os.Getenv("HOME")`, "os.Getenv"},
		{"aesni", `var v = os.Getenv("HOME")`, "os.Getenv"},
		{"aesni", `var v = os.Getenv("MILLRACE_AESNI")`, ""},
		{"aesni", `const name = "MILLRACE_AESNI"; var v = os.Getenv(name)`, ""},
		{"aesni", `func f(name string) { os.Getenv(name) }`, "os.Getenv"},
		{"engine", `var v = os.Getenv("MILLRACE_AESNI")`, "os.Getenv"},
		{"pool", `var v, ok = os.LookupEnv("HOME")`, "os.LookupEnv"},
		{"cmd/millrace", `var v = os.Getenv("HOME")`, ""},
		{"transport", `func f() { os.Exit(1) }`, "os.Exit"},
		{"loadgen", `func f() { os.Exit(1) }`, ""},
	} {
		t.Run(c.path+": "+c.body, func(t *testing.T) {
			fset := token.NewFileSet()
			src := "package p\nimport (\n\"math/rand/v2\"\n\"os\"\n\"time\"\nclock \"time\"\n)\n" + c.body
			f, err := parser.ParseFile(fset, "p.go", src, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			check(t, CheckPurity(c.path, fset, []*ast.File{f}), c.want)
		})
	}
}

func TestCheckFileFailsOnEachKindOfViolation(t *testing.T) {
	long := "package p\n" + strings.Repeat("\n// line\n", MaxLines/2) + "\nvar a int\n"
	for _, c := range []struct{ name, file, content, want string }{
		{"long file", "a/b.go", long, "lines, over"},
		{"long test", "a/b_test.go", long, ""},
		{"long generated file", "a/b.go", "// Code generated by gen. DO NOT EDIT.\n\n" + long, ""},
		{"unformatted", "a/b.go", "package p\nvar   a int\n", "gofmt"},
		{"unformatted test", "a/b_test.go", "package p\nvar   a int\n", "gofmt"},
		{"does not parse", "a/b.go", "package\n", "expected"},
		{"unfinished Go", "a/b.go", "package p\n\n// TO" + "DO: all of it\n", "finish it"},
		{"unfinished text", "README.md", "FIX" + "ME\n", "finish it"},
		{"unfinished script", ".ci/run", "# XX" + "X\n", "finish it"},
		{"a word that contains it", "README.md", "mas" + "TO" + "DON\n", ""},
		{"home folder", "README.md", "cd /home/" + "alice/millrace\n", "machine"},
		{"home folder on a Mac", "a/b.go", "package p\n\nvar a = \"/Users/" + "alice/x\"\n", "machine"},
		{"folder of the clone", "Makefile", "cd /build/clone/loadgen\n", "machine"},
		{"part of an address", "README.md", "see example.org/home/" + "page\n", ""},
		{"a program", "millrace", "\x7fELF\x00/home/" + "alice", ""},
		{"in order", "a/b.go", "package p\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, CheckFile(c.file, []byte(c.content), "/build/clone/"), c.want)
		})
	}
}

func TestIsTextLeavesDataAlone(t *testing.T) {
	for name, want := range map[string]bool{
		"codec/oer/oer.go": true, "Makefile": true, ".ci/run": true, ".golangci.yml": true, "README.md": true,
		"engine/stream/testdata/a.txt": false, "go.sum": false, "internal/interop/peers/package-lock.json": false,
		"loadgen/default.pgo": false,
	} {
		if IsText(name) != want {
			t.Errorf("IsText(%q) = %t", name, !want)
		}
	}
}

// check fails unless bad is one complaint with want in it, or none for "".
func check(t *testing.T, bad []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(bad) > 0:
		t.Errorf("refused: %q", bad)
	case want != "" && (len(bad) == 0 || !strings.Contains(bad[0], want)):
		t.Errorf("got %q, want a complaint about %q", bad, want)
	}
}
