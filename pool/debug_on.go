//go:build debug

package pool

// debug turns on poisoning, and the detection of every double release.
const debug = true
