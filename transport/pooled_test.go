//go:build race || debug

package transport

// pooledAllocates: under the race detector sync.Pool drops at random, and with
// -tags debug the pool makes its buffers anew.
const pooledAllocates = true
