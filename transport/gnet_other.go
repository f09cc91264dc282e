//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package transport

func newGNetDriver(*Loop) (driver, error) { return nil, ErrBackend }
