//go:build debug

package stream

const (
	connsNear = -1
	slotsNear = 0
)
