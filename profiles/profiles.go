// Package profiles holds the shapes of traffic that loadgen can drive, one JSON
// file each, embedded. A file says everything that makes two runs comparable;
// flags of loadgen override single fields of it.
package profiles

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

//go:embed *.json
var files embed.FS

// Default is the name of the profile that loadgen drives when none is named.
const Default = "default"

// Bounds of a profile's fields.
const (
	MaxLinks       = 1024
	MaxConnections = 1_000_000
	MaxWindow      = 1 << 16
)

var (
	// ErrUnknown says that there is no profile of that name; it comes wrapped
	// with the names that there are.
	ErrUnknown = errors.New("profiles: no such profile")
	// ErrProfile says that a field of a profile is out of bounds; it comes
	// wrapped with the field's name.
	ErrProfile = errors.New("profiles: bad profile")
)

// FieldError is an ErrProfile that says which field is bad.
type FieldError struct {
	Field string // as in the file
	Value any
	Want  string // what it must be
}

// Error says it in words.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%v: %s is %v, must be %s", ErrProfile, e.Field, e.Value, e.Want)
}

// Unwrap is ErrProfile.
func (e *FieldError) Unwrap() error { return ErrProfile }

// Profile is one shape of traffic.
type Profile struct {
	// Name is the name of the file without ".json".
	Name string `json:"name"`
	// Description is one sentence for a person.
	Description string `json:"description"`
	// Links is the number of account links, 1 to MaxLinks.
	Links int `json:"links"`
	// Connections is the number of STREAM connections, spread evenly over the
	// links, each with one stream: Links to MaxConnections.
	Connections int `json:"connections"`
	// Window bounds the packets in flight on each link, 1 to MaxWindow.
	Window int `json:"window"`
	// PacketAmount is the amount of each packet in units of the sender, at
	// least 1.
	PacketAmount uint64 `json:"packet_amount"`
	// Duration is how long traffic is measured, above zero.
	Duration Duration `json:"duration"`
	// WarmUp is how long traffic runs before it is measured. It may be zero.
	WarmUp Duration `json:"warm_up"`
}

// Check says which field is out of bounds, wrapped in ErrProfile.
func (p Profile) Check() error {
	bad := func(field string, value any, want string) error {
		return &FieldError{field, value, want}
	}
	switch {
	case p.Links < 1 || p.Links > MaxLinks:
		return bad("links", p.Links, fmt.Sprintf("1 to %d", MaxLinks))
	case p.Connections < p.Links || p.Connections > MaxConnections:
		return bad("connections", p.Connections, fmt.Sprintf("at least one for each of the %d links, and at most %d", p.Links, MaxConnections))
	case p.Window < 1 || p.Window > MaxWindow:
		return bad("window", p.Window, fmt.Sprintf("1 to %d", MaxWindow))
	case p.PacketAmount < 1 || p.PacketAmount > 1<<32:
		return bad("packet_amount", p.PacketAmount, "1 to 4294967296")
	case p.Duration <= 0:
		return bad("duration", p.Duration, "above zero")
	case p.WarmUp < 0:
		return bad("warm_up", p.WarmUp, "zero or more")
	}
	return nil
}

// Load returns the profile of a name. It answers ErrUnknown for a name without
// a file.
func Load(name string) (Profile, error) {
	content, err := files.ReadFile(name + ".json")
	if err != nil {
		return Profile{}, fmt.Errorf("%w: %q (there are: %s)", ErrUnknown, name, strings.Join(Names(), ", "))
	}
	return Parse(content)
}

// Names lists the profiles there are, in order.
func Names() []string {
	found, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil // the pattern is a constant and good
	}
	for i := range found {
		found[i] = strings.TrimSuffix(found[i], ".json")
	}
	return found
}

// Parse reads the JSON form of a profile. A field that it does not know is an
// error: a misspelt one would quietly measure something else.
func Parse(content []byte) (p Profile, err error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return p, p.Check()
}

// Duration is a time.Duration that JSON spells as Go does: "10s".
type Duration time.Duration

// String spells the duration as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText spells the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
