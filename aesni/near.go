//go:build !debug

package aesni

// nearSegments of keys are near enough, most of them in a processor's second cache. Under
// -tags debug keys are always fetched.
const nearSegments = 4
