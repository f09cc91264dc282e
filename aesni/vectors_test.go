package aesni

import (
	"bytes"
	"slices"
	"testing"
)

// gcmCase is one published AES-GCM case, in Wycheproof's words.
type gcmCase struct {
	TcID    int
	Comment string
	Key     octets
	IV      octets
	AAD     octets
	Msg     octets
	Ct      octets
	Tag     octets
	Result  string
}

// check seals and opens the case with one slot of keys and with a Box.
func (c *gcmCase) check(t *testing.T, keys *Keys) {
	t.Helper()
	valid := c.Result == "valid"
	want := slices.Concat(c.IV, c.Tag, c.Ct)
	keys.expandEncryption(5, (*[32]byte)(c.Key))
	box, err := NewBox(c.Key)
	if err != nil {
		t.Fatal(err)
	}

	data, checkData := guarded(t, len(want))
	op := Op{Key: 5, Text: c.Msg, Data: data, IV: [12]byte(c.IV)}
	keys.Seal(&op)
	checkData()
	if bytes.Equal(data, want) != valid {
		t.Errorf("case %d %s: seal gives\n%x, vector has\n%x, which is %s", c.TcID, c.Comment, data, want, c.Result)
	}
	if got := box.Seal(nil, (*[12]byte)(c.IV), c.Msg); !bytes.Equal(got, data) {
		t.Errorf("case %d %s: box seals another envelope", c.TcID, c.Comment)
	}

	text, checkText := guarded(t, len(c.Ct))
	op = Op{Key: 5, Text: text, Data: want}
	keys.Open(&op)
	checkText()
	boxed, boxOK := box.Open(nil, want)
	if op.OK != valid || boxOK != valid {
		t.Fatalf("case %d %s: open says %t, box %t, vector is %s", c.TcID, c.Comment, op.OK, boxOK, c.Result)
	}
	if valid && (!bytes.Equal(text, c.Msg) || !bytes.Equal(boxed, c.Msg)) {
		t.Errorf("case %d %s: opened to another plaintext", c.TcID, c.Comment)
	}
	if !valid && (!bytes.Equal(text, bytes.Repeat([]byte{0xA5}, len(text))) || !allZero(boxed[:cap(boxed)])) {
		t.Errorf("case %d %s: refused, and left plaintext behind", c.TcID, c.Comment)
	}
}

func TestWycheproofAESGCM(t *testing.T) {
	var file struct {
		TestGroups []struct {
			KeySize, IVSize, TagSize int
			Tests                    []gcmCase
		}
	}
	readVectors(t, "aes_gcm_test.json", &file)
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		valid, invalid := 0, 0
		for _, g := range file.TestGroups {
			if g.KeySize != 256 || g.IVSize != 96 || g.TagSize != 128 {
				continue
			}
			for _, c := range g.Tests {
				if len(c.AAD) != 0 {
					continue // STREAM has no additional data, nor has our interface
				}
				if c.Result == "valid" {
					valid++
				} else {
					invalid++
				}
				c.check(t, keys)
			}
		}
		if valid != 21 || invalid != 27 {
			t.Errorf("visited %d valid and %d invalid cases, the file has 21 and 27", valid, invalid)
		}
	})
}

func TestGCMSpecification(t *testing.T) {
	var file struct{ Tests []gcmCase }
	readVectors(t, "gcm_spec_aes256.json", &file)
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		visited := 0
		for _, c := range file.Tests {
			if len(c.AAD) == 0 {
				c.Result = "valid"
				c.check(t, newKeys())
				visited++
			}
		}
		if visited != 3 {
			t.Errorf("visited %d cases, the file has 3", visited)
		}
	})
}

func TestWycheproofHMACSHA256(t *testing.T) {
	var file struct {
		TestGroups []struct {
			KeySize, TagSize int
			Tests            []struct {
				TcID          int
				Comment       string
				Key, Msg, Tag octets
				Result        string
			}
		}
	}
	readVectors(t, "hmac_sha256_test.json", &file)
	eachTier(t, func(t *testing.T, newKeys func() *Keys) {
		keys := newKeys()
		keys.DeriveEncryption(0, nil)
		visited := 0
		for _, g := range file.TestGroups {
			for _, c := range g.Tests {
				visited++
				var got [32]byte
				HMAC(&got, c.Key, c.Msg)
				if Equal(got[:g.TagSize/8], c.Tag) != (c.Result == "valid") {
					t.Errorf("case %d %s: HMAC is %x, vector has %x, which is %s", c.TcID, c.Comment, got, c.Tag, c.Result)
				}
				half := len(c.Msg) / 2
				var parts [32]byte
				HMAC(&parts, c.Key, c.Msg[:half], nil, c.Msg[half:])
				if parts != got {
					t.Errorf("case %d: another HMAC when in parts", c.TcID)
				}
				if g.KeySize == 256 && len(c.Msg) > 0 {
					keys.expandFulfillment(0, (*[32]byte)(c.Key))
					op := Op{Data: c.Msg}
					keys.Prove(&op)
					if op.Fulfillment != got || op.Condition != Sum256(got[:]) {
						t.Errorf("case %d: Prove differs from HMAC", c.TcID)
					}
				}
			}
		}
		if visited != 174 {
			t.Errorf("visited %d cases, the file has 174", visited)
		}
	})
}

func TestRFC4231(t *testing.T) {
	var file struct {
		Tests []struct {
			Case           int
			Key, Data, Tag octets
			TagBits        int
		}
	}
	readVectors(t, "rfc4231_hmac_sha256.json", &file)
	if len(file.Tests) != 7 {
		t.Fatalf("%d cases, want 7", len(file.Tests))
	}
	for _, c := range file.Tests {
		var got [32]byte
		HMAC(&got, c.Key, c.Data)
		if !Equal(got[:c.TagBits/8], c.Tag) {
			t.Errorf("case %d: got %x, want %x", c.Case, got, c.Tag)
		}
	}
}
