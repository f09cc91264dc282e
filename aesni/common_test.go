package aesni

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// eachTier runs a test body with tables of every implementation that this machine can
// run, and says of the others that it can not.
func eachTier(t *testing.T, body func(t *testing.T, newKeys func() *Keys)) {
	eachImplementation(t, func(t *testing.T, use implementation) {
		body(t, func() *Keys { return newKeys(use) })
	})
}

func eachImplementation(t *testing.T, body func(t *testing.T, use implementation)) {
	for g := range gcmTier(len(gcmNames)) {
		for s := range shaTier(len(shaNames)) {
			use := implementation{g, s}
			if g > 0 && s > 0 && g < gcmVAES512 && int(g) != int(s)+1 && int(g) != int(s) {
				continue // each is tested with some of the other
			}
			t.Run(use.String(), func(t *testing.T) {
				if g > best.gcm || s > best.sha {
					t.Skipf("this machine, or this build, can not run %v: its best is %v", use, best)
				}
				body(t, use)
			})
		}
	}
}

// octets is a hex string in JSON.
type octets []byte

func (o *octets) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*o, err = hex.DecodeString(s)
	return err
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// pattern returns n octets that differ from place to place and by seed.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func secret(seed byte) []byte { return pattern(32, seed) }

// guarded returns n octets in the middle of larger memory, with room behind
// them, and a function that fails the test if anything around them changed.
func guarded(t *testing.T, n int) (b []byte, check func()) {
	const margin, canary = 64, 0xA5
	whole := make([]byte, margin+n+margin)
	for i := range whole {
		whole[i] = canary
	}
	return whole[margin : margin+n], func() {
		t.Helper()
		for i, o := range whole {
			if (i < margin || i >= margin+n) && o != canary {
				t.Fatalf("octet %d of %d written, which is outside", i-margin, n)
			}
		}
	}
}

func allZero(b []byte) bool {
	for _, o := range b {
		if o != 0 {
			return false
		}
	}
	return true
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic is %v, want %q", got, want)
		}
	}()
	f()
}
