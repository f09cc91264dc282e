// Package affinity binds threads to processors, so that two event loops never wait for
// one another on the same one. It exists on Linux; elsewhere everything is
// errors.ErrUnsupported.
package affinity
