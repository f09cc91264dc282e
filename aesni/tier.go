package aesni

import (
	"os"
	"slices"
	"strings"
)

// TierVariable is the environment variable that forces a tier: one of "vaes512",
// "vaes256", "aesni" and "stdlib" (or "generic"), of "sha16", "sha4", "sha2" and "stdsha", or
// one of the former and one of the latter joined by "+". What is not named is the best
// that the machine has; "stdlib" alone names both.
const TierVariable = "MILLRACE_AESNI"

// gcmTier is an implementation of AES-256-GCM, and shaTier one of SHA-256. They are
// chosen apart, as processors have the one without the other.
type (
	gcmTier uint8
	shaTier uint8
)

const (
	gcmStdlib  gcmTier = iota
	gcmAESNI           // AES-NI and PCLMULQDQ on xmm registers
	gcmVAES256         // VAES on ymm registers, PCLMULQDQ on xmm
	gcmVAES512         // VAES and VPCLMULQDQ on zmm registers, with masks
)

const (
	shaStdlib shaTier = iota
	sha2              // SHA extensions, two messages at a time
	sha4              // four, with the registers and masks of AVX-512
	sha16             // sixteen on zmm registers, where that is faster, and four
)

var (
	gcmNames = [...]string{"stdlib", "aesni", "vaes256", "vaes512"}
	shaNames = [...]string{"stdsha", "sha2", "sha4", "sha16"}
)

// implementation is a tier of each.
type implementation struct {
	gcm gcmTier
	sha shaTier
}

func (i implementation) String() string {
	if i == (implementation{}) {
		return gcmNames[gcmStdlib]
	}
	return gcmNames[i.gcm] + "+" + shaNames[i.sha]
}

// chosen is what NewKeys and NewBox use.
var chosen = choose(os.Getenv(TierVariable), best, fips())

// Tier names the implementation that this process uses, chosen once at start, such as
// "vaes512+sha4" or "stdlib". It is for logs and benchmark headings.
func Tier() string { return chosen.String() }

// choose returns the implementation to use when the environment asks for forced; empty
// asks for the best one. It panics on a name that is unknown or that this machine can
// not run: whoever forces a tier, to rule out or to prove one, must not silently get
// another. A process in FIPS 140 mode wants the validated module of the standard
// library, and gets it.
func choose(forced string, best implementation, fips bool) implementation {
	if fips {
		best = implementation{}
	}
	if forced == "" {
		return best
	}
	if forced == gcmNames[gcmStdlib] || forced == "generic" {
		return implementation{}
	}
	use := best
	var haveGCM, haveSHA bool
	for name := range strings.SplitSeq(forced, "+") {
		g, s := slices.Index(gcmNames[:], name), slices.Index(shaNames[:], name)
		switch {
		case g >= 0 && gcmTier(g) <= best.gcm && !haveGCM:
			use.gcm, haveGCM = gcmTier(g), true
		case s >= 0 && shaTier(s) <= best.sha && !haveSHA:
			use.sha, haveSHA = shaTier(s), true
		default:
			panic("aesni: " + TierVariable + "=" + forced + ": no such tier here; the best is " + best.String())
		}
	}
	return use
}
