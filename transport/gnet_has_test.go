//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package transport

const hasGNet = true
