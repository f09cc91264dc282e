package interop

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	peersDir  = "peers"
	requireIt = "MILLRACE_REQUIRE_INTEROP"
)

var control = flag.Bool("control", false, "run every case with JavaScript at both ends, to try the harness itself")

// programs are what the cases start; TestMain finds or builds them.
var programs struct {
	node     string
	millrace string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := findPeers(); err != nil {
		fmt.Printf("interop: %v\ninterop: not run: %s\n", err, strings.Join(caseNames(), " "))
		fmt.Printf("interop: to run them, install Node 20 or newer and do `npm ci --ignore-scripts` in internal/interop/%s\n", peersDir)
		if os.Getenv(requireIt) == "1" {
			fmt.Printf("interop: %s=1 forbids to go without\n", requireIt)
			return 1
		}
		// The go command shows the output of a passing package only with -v,
		// but for this line, which it repeats beside "ok".
		fmt.Printf("\ntesting: warning: no tests to run\n")
		return 0
	}
	dir, err := os.MkdirTemp("", "millrace-interop-")
	if err != nil {
		fmt.Println("interop:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := buildMillrace(dir); err != nil {
		fmt.Println("interop:", err)
		return 1
	}
	return m.Run()
}

func findPeers() (err error) {
	if programs.node, err = exec.LookPath("node"); err != nil {
		return fmt.Errorf("no Node: %w", err)
	}
	if _, err := os.Stat(filepath.Join(peersDir, "node_modules", ".package-lock.json")); err != nil {
		return fmt.Errorf("the npm packages are not installed: %w", err)
	}
	return nil
}

func buildMillrace(dir string) error {
	programs.millrace = filepath.Join(dir, "millrace.exe") // the suffix is needed on one system and harmless elsewhere
	if *control {
		return nil
	}
	build := exec.Command("go", "build", "-o", programs.millrace, "./cmd/millrace")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build cmd/millrace: %w\n%s", err, out)
	}
	return nil
}

// touchSources looks at every source file that the cases depend on without being
// compiled into this test, so that the go command, which remembers what a test
// has looked at, does not answer from its cache when one of them has changed.
func touchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		}
		switch filepath.Ext(path) {
		case ".go", ".s", ".mjs", ".mod", ".sum", ".pgo":
			_, err = os.Stat(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that was there a moment ago
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
