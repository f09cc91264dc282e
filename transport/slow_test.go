package transport

import (
	"testing"
	"time"
)

// Handshakes that hang in Authenticate keep nobody out.
func TestASlowAuthenticateDoesNotStopTheListener(t *testing.T) {
	onBackends(t, func(t *testing.T, b Backend) {
		lp := startLoop(t, b, LoopConfig{}, newRecorder(t))
		release := make(chan struct{})
		ln := startListener(t, lp, ListenConfig{MaxHandshakes: 4, Authenticate: func(_, token []byte) (any, int, error) {
			if string(token) == "slow" {
				<-release
			}
			return nil, 0, nil
		}})
		defer close(release)
		for range 8 {
			c := connect(t, ln, 0)
			c.send(c.auth("slow"))
		}
		done := make(chan struct{})
		go func() { login(t, ln, 0); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("an honest peer is kept out")
		}
	})
}
