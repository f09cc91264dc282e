//go:build debug

package aesni

const nearSegments = 0
