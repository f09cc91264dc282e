// Package vectors holds octets that other implementations made, and gives tests
// access to them. Only tests import it.
//
// The JSON files beside this one come from the published JavaScript packages of
// Interledger, run by the scripts in gen; README.md says which file holds what
// and how to make them again. A vector records what that implementation does: a
// fact about a peer, which is not always what Millrace does. A test that walks a
// file lists every deliberate difference with its reason (Differences), and fails
// when the list and the truth part.
package vectors

import (
	"bytes"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
)

//go:embed *.json
var files embed.FS

// Names are the names of all files, such as oer.json, in order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("vectors: " + err.Error()) // the files are part of the binary
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Read is the text of a file. It panics if there is none of that name.
func Read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("vectors: " + err.Error())
	}
	return b
}

// Load decodes a file into a T and ends the test if that fails. Fields that T
// does not name are ignored.
func Load[T any](tb testing.TB, name string) T {
	tb.Helper()
	var v T
	if err := json.NewDecoder(bytes.NewReader(Read(name))).Decode(&v); err != nil {
		tb.Fatalf("vectors: %s: %v", name, err)
	}
	return v
}

// Hex is octets that stand in a file as hexadecimal digits.
type Hex []byte

// UnmarshalJSON reads a string of hexadecimal digits.
func (h *Hex) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := hex.DecodeString(s)
	if err != nil {
		return fmt.Errorf("%q: %w", s, err)
	}
	*h = v
	return nil
}

// String is the hexadecimal digits.
func (h Hex) String() string { return hex.EncodeToString(h) }

// Octets is Hex, or for a long value only its length: "(32767 bytes)".
type Octets struct {
	Hex Hex // nil if only the length is known
	Len int
}

// UnmarshalJSON reads a string of hexadecimal digits or a length in parentheses.
func (o *Octets) UnmarshalJSON(b []byte) error {
	*o = Octets{}
	if n, err := fmt.Sscanf(string(b), `"(%d bytes)"`, &o.Len); n == 1 && err == nil {
		return nil
	}
	if err := o.Hex.UnmarshalJSON(b); err != nil {
		return err
	}
	o.Len = len(o.Hex)
	return nil
}

// Equal reports whether b is the value, as far as the vector tells.
func (o Octets) Equal(b []byte) bool {
	return len(b) == o.Len && (o.Hex == nil || bytes.Equal(b, o.Hex))
}

// Uint is an integer that stands in a file as a decimal string, since it may
// not fit a JSON number.
type Uint uint64

// UnmarshalJSON reads a string of decimal digits.
func (u *Uint) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return err
	}
	*u = Uint(v)
	return nil
}
