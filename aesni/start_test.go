package aesni

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// startedWith runs this test's binary again, to see which tier it chooses.
func startedWith(t *testing.T, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrintTier$", "-test.v")
	cmd.Env = append(os.Environ(), append(env, "MILLRACE_PRINT_TIER=1")...)
	out, _ := cmd.CombinedOutput() // that it failed is in what it says
	return string(out)
}

// TestPrintTier is what startedWith runs.
func TestPrintTier(t *testing.T) {
	if os.Getenv("MILLRACE_PRINT_TIER") != "" {
		t.Logf("tier is %s.", Tier())
	}
}

func TestStart(t *testing.T) {
	enabled, enforced := "tier is stdlib.", "panic: aesni: GODEBUG=fips140=only refuses AES-GCM"
	if out := startedWith(t, "GODEBUG=fips140=on", TierVariable+"="); strings.Contains(out, "incompatible with the purego build tag") {
		enabled, enforced = "purego build tag", "purego build tag" // the standard library's own word
	}
	for _, c := range []struct{ env, want string }{
		{"MILLRACE_AESNI=", "tier is " + best.String() + "."},
		{"MILLRACE_AESNI=stdlib", "tier is stdlib."},
		{"MILLRACE_AESNI=nonesuch", "panic: aesni: MILLRACE_AESNI=nonesuch: no such tier here"},
		{"GODEBUG=fips140=on", enabled},
		{"GODEBUG=fips140=only", enforced},
	} {
		env := []string{c.env}
		if !strings.HasPrefix(c.env, TierVariable) {
			env = append(env, TierVariable+"=")
		}
		if out := startedWith(t, env...); !strings.Contains(out, c.want) {
			t.Errorf("%s: no %q in\n%s", c.env, c.want, out)
		}
	}
}

func TestSelfTestOfEveryTier(t *testing.T) {
	eachImplementation(t, func(_ *testing.T, use implementation) { selfTest(use) })
}
