package receipt

import (
	"bytes"
	"testing"

	"github.com/millrace-ilp/millrace/internal/vectors"
)

func FuzzParse(f *testing.F) {
	for _, e := range vectors.Load[vectors.Receipts](f, "receipts.json").Verify {
		f.Add([]byte(e.Receipt))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if (err == nil) != (len(b) == Len && b[0] == Version) {
			t.Fatalf("Parse(%x): %v", b, err)
		}
		if err != nil {
			return
		}
		again := append(AppendUnsigned(nil, &r.Nonce, r.StreamID, r.TotalReceived), r.MAC[:]...)
		if !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x", b, again)
		}
	})
}
