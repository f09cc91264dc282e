package receipt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/internal/vectors"
)

// differences are the vectors of ilp-protocol-stream that Millrace does not
// follow.
var differences = vectors.Differences{
	"decode/wrong version, valid length": "only version 1 has this layout (IL-RFC 0039); decodeReceipt accepts any there, verifyReceipt none but 1",
	"create/nonce of 15 bytes":           "cannot be asked for: a nonce is an array of 16 octets",
	"create/secret of 31 bytes":          "cannot be asked for: this package knows no secrets",
	"create/stream id 256":               "cannot be asked for: a stream id is one octet",
	"create/total above 2^64-1":          "cannot be asked for: a total is 64 bits",
}

func mac(secret, b []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(b)
	return h.Sum(nil)
}

func TestVectorsOfOtherImplementations(t *testing.T) {
	v := vectors.Load[vectors.Receipts](t, "receipts.json")
	check := differences.Check(t)
	for _, e := range v.Valid {
		b := AppendUnsigned(nil, (*[16]byte)(e.Nonce), uint8(e.StreamID), ilp.Amount(e.TotalReceived))
		if len(b) != SignedLen {
			t.Fatalf("%d octets are signed", len(b))
		}
		b = append(b, mac(e.Secret, b)...)
		r, err := Parse(e.Receipt)
		same := err == nil && bytes.Equal(b, e.Receipt) && base64.StdEncoding.EncodeToString(b) == e.Base64 &&
			r == Receipt{[16]byte(e.Nonce), uint8(e.StreamID), ilp.Amount(e.TotalReceived), [32]byte(b[SignedLen:])}
		check.Case(fmt.Sprintf("valid/%v/%d/%d/%v", e.Nonce, e.StreamID, e.TotalReceived, e.Secret), differ(same))
	}
	for _, e := range v.RejectedCreate {
		check.Case("create/"+e.Name, "the type of the field forbids it")
	}
	secret := v.Valid[0].Secret
	for _, e := range v.Verify {
		r, err := Parse(e.Receipt)
		check.Case("decode/"+e.Name, differ((err == nil) == (e.Decode == "ok")))
		verify := "ok"
		switch {
		case err == ErrLength:
			verify = "receipt malformed"
		case err == ErrVersion:
			verify = "invalid version"
		case !hmac.Equal(mac(secret, e.Receipt[:SignedLen]), r.MAC[:]):
			verify = "invalid hmac"
		}
		check.Case("verify/"+e.Name, differ(verify == e.Verify))
	}
}

func differ(same bool) string {
	if same {
		return ""
	}
	return "differs"
}

func TestParseTellsWhatIsWrong(t *testing.T) {
	for n := range 2 * Len {
		if _, err := Parse(make([]byte, n)); n != Len && err != ErrLength || n == Len && err != ErrVersion {
			t.Errorf("%d zero octets: %v", n, err)
		}
	}
}
