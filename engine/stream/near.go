//go:build !debug

package stream

// So many connections, with all that is theirs, and requests are near enough, in a
// processor's second cache of a MiB or not far beyond: asking for them costs more than it
// spares. Under -tags debug they are always asked for.
const (
	connsNear = 1024
	slotsNear = 4096
)
