package aesni

import "os"

// TierVariable is the environment variable that forces a tier.
const TierVariable = "MILLRACE_AESNI"

const tierStdlib = "stdlib"

var tier = chooseTier(os.Getenv(TierVariable))

// Tier names the implementation that this process uses, chosen once at start.
// It is for logs and benchmark headings.
func Tier() string { return tier }

// chooseTier returns the tier to use when the environment asks for forced;
// empty asks for the best one. It panics on an unknown name: whoever forces a
// tier, to rule out or to prove one, must not silently get another.
func chooseTier(forced string) string {
	switch forced {
	case "", tierStdlib, "generic":
		return tierStdlib
	}
	panic("aesni: " + TierVariable + "=" + forced + ": no such tier; have " + tierStdlib + " (also called generic)")
}
