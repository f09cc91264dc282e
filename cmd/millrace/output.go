package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// output prints what happens: JSON lines for programs, words for people. It may
// be used by many goroutines.
type output struct {
	mu   sync.Mutex
	w    io.Writer
	json bool
}

// newOutput talks to a person only on a terminal.
func newOutput(w io.Writer, asJSON bool) *output {
	return &output{w: w, json: asJSON || !isTerminal(w)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// object is a JSON object whose fields keep their order: names and values in turn.
type object []any

// with adds a field.
func (o object) with(name string, value any) object { return append(o, name, value) }

// maybe adds a text that is not empty.
func (o object) maybe(name, text string) object {
	if text == "" {
		return o
	}
	return o.with(name, text)
}

// MarshalJSON writes the fields in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := 0; i+1 < len(o); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(o[i])
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(o[i+1])
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// amount prints as a decimal string: JSON's numbers end at 2^53.
type amount stream.Amount

// MarshalJSON writes the digits in quotes.
func (a amount) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d"`, uint64(a)), nil }

// rejects counts them by code. JSON has an object of it.
type rejects map[string]uint64

// String is for people: "F99 6, T00 1".
func (r rejects) String() string {
	if len(r) == 0 {
		return "none"
	}
	var list []string
	for _, code := range slices.Sorted(maps.Keys(r)) {
		list = append(list, fmt.Sprintf("%s %d", code, r[code]))
	}
	text := strings.Join(list, ", ")
	if r[ilp.F99.String()] > 0 {
		text += " (F99 also answers the probes of the rate)"
	}
	return text
}

// noOctets is the SHA-256 of nothing, which tells a person nothing.
var noOctets = digest(nil)

// say prints one event.
func (o *output) say(event string, fields ...any) { o.print(event, fields) }

func (o *output) print(event string, fields object) {
	var line []byte
	if o.json {
		text, err := json.Marshal(append(object{"event", event}, fields...))
		if err != nil {
			text = fmt.Appendf(nil, `{"event":"error","message":%q}`, err)
		}
		line = append(text, '\n')
	} else {
		line = []byte(human(event, fields, "") + "\n")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.w.Write(line)
}

// human spells an event for a person: its name, then what it says.
func human(event string, fields object, indent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%-14s", indent, event)
	var below []string
	for i := 0; i+1 < len(fields); i += 2 {
		name := spaced(fmt.Sprint(fields[i]))
		switch v := fields[i+1].(type) {
		case []object:
			for _, o := range v {
				below = append(below, human(strings.TrimSuffix(name, "s"), o, indent+"  "))
			}
		case object:
			below = append(below, human(name, v, indent+"  "))
		case nil:
		default:
			if v == noOctets {
				continue
			}
			fmt.Fprintf(&b, "  %s %v", name, v)
		}
	}
	return strings.Join(append([]string{b.String()}, below...), "\n")
}

// spaced turns totalReceived into "total received".
func spaced(name string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(name, "_", " ") {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
