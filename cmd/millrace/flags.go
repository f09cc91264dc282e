package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errHelp says that the user asked for the help page.
var errHelp = errors.New("help")

// usageError is a command line that makes no sense.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// flagSpec is one flag. One without value is a switch.
type flagSpec struct {
	name, value, help string
	check             func(string) error
}

// command is one of the commands: its flags and what it does.
type command struct {
	name  string
	lead  string // of the help page
	tail  string
	flags []flagSpec
	later []string // flags of features that do not exist yet
	check func(flags) error
	run   func(ctx context.Context, f flags, out *output, stderr io.Writer) error
}

// flags are the values of a command line by name. A switch has the value "".
type flags map[string]string

// parse reads "--name value", "--name=value" and "--switch", in any order.
func (c *command) parse(args []string) (flags, error) {
	f := make(flags)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "-h" || arg == "-help" || arg == "--help" {
			return nil, errHelp
		}
		name, long := strings.CutPrefix(arg, "--")
		if !long {
			return nil, usagef("unexpected %q", arg)
		}
		name, value, given := strings.Cut(name, "=")
		at := slices.IndexFunc(c.flags, func(s flagSpec) bool { return s.name == name })
		if at < 0 {
			if slices.Contains(c.later, name) {
				return nil, usagef("--%s is not supported yet", name)
			}
			return nil, usagef("no flag --%s", name)
		}
		s := c.flags[at]
		switch {
		case s.value == "":
			if given && value != "true" {
				if value != "false" {
					return nil, usagef("--%s is a switch: it takes no value", name)
				}
				delete(f, name)
				continue
			}
			value = ""
		case !given:
			if i++; i == len(args) || strings.HasPrefix(args[i], "--") {
				return nil, usagef("--%s needs a value: %s", name, s.value)
			}
			value = args[i]
		}
		if s.check != nil {
			if err := s.check(value); err != nil {
				if hidden(name) {
					return nil, usagef("--%s: %v", name, err)
				}
				return nil, usagef("--%s %s: %v", name, value, err)
			}
		}
		f[name] = value
	}
	return f, nil
}

// hidden says whether a flag's value is not to be repeated: it holds a secret.
func hidden(name string) bool {
	return strings.HasSuffix(name, "secret") || name == "token" || name == "btp-url"
}

// help is the page that -h prints.
func (c *command) help() string {
	var b strings.Builder
	b.WriteString(c.lead + "\nFlags:\n")
	for _, s := range c.flags {
		fmt.Fprintf(&b, "  %-30s %s\n", strings.TrimSpace("--"+s.name+" "+s.value), strings.ReplaceAll(s.help, "\n", "\n"+strings.Repeat(" ", 33)))
	}
	b.WriteString("\n" + c.tail)
	return b.String()
}

// on says whether a flag was given.
func (f flags) on(name string) bool { _, ok := f[name]; return ok }

// text is a flag's value or what it is when it was not given.
func (f flags) text(name, otherwise string) string {
	if v, ok := f[name]; ok {
		return v
	}
	return otherwise
}

// The values below were checked by parse: an error of theirs cannot come here.

func (f flags) number(name string, otherwise int64) int64 {
	if v, err := strconv.ParseInt(f[name], 10, 64); err == nil {
		return v
	}
	return otherwise
}

func (f flags) amount(name string, otherwise uint64) uint64 {
	if v, err := parseAmount(f[name]); err == nil {
		return v
	}
	return otherwise
}

func (f flags) ms(name string, otherwise time.Duration) time.Duration {
	if !f.on(name) {
		return otherwise
	}
	return time.Duration(f.number(name, 0)) * time.Millisecond
}

func (f flags) octets(name string) []byte {
	b, _ := parseOctets(f[name])
	return b
}

func (f flags) rational(name string) *big.Rat {
	r, _ := parseRational(f[name])
	return r
}

// Checks of flags.

const maxAmount = 1<<64 - 1

// parseAmount reads an amount; "max" is the largest there is.
func parseAmount(s string) (uint64, error) {
	if s == "max" {
		return maxAmount, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errors.New("must be a whole number of units from 0 to 2^64-1, or max")
	}
	return v, nil
}

func isAmount(s string) error {
	_, err := parseAmount(s)
	return err
}

// count checks for a whole number from low to high.
func count(low, high int64) func(string) error {
	return func(s string) error {
		if v, err := strconv.ParseInt(s, 10, 64); err != nil || v < low || v > high {
			return fmt.Errorf("must be a whole number from %d to %d", low, high)
		}
		return nil
	}
}

// isMs checks for milliseconds of up to some ten years.
var isMs = count(0, 1<<38)

// parseOctets reads 16 or 32 octets: hexadecimal digits, of which there are then as
// many as base64 of so many octets never has, or base64 in either alphabet.
func parseOctets(s string) ([]byte, error) {
	if n := len(s); n == 32 || n == 64 {
		return hex.DecodeString(s)
	}
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.RawURLEncoding.DecodeString(s)
}

// isSecret checks for 32 octets.
func isSecret(s string) error {
	if b, err := parseOctets(s); err != nil || len(b) != 32 {
		return errors.New("must be 32 octets in base64, or 64 hexadecimal digits")
	}
	return nil
}

// isNonce checks for 16 octets.
func isNonce(s string) error {
	if b, err := parseOctets(s); err != nil || len(b) != 16 {
		return errors.New("must be 16 octets in base64, or 32 hexadecimal digits")
	}
	return nil
}

// parseRational reads a decimal such as 0.015 or a fraction such as 3/2.
func parseRational(s string) (*big.Rat, error) {
	r, ok := new(big.Rat).SetString(s)
	if !ok || r.Sign() < 0 || !r.Num().IsUint64() || !r.Denom().IsUint64() {
		return nil, errors.New("must be a number such as 0.01")
	}
	return r, nil
}

func isSlippage(s string) error {
	r, err := parseRational(s)
	if err == nil && r.Cmp(big.NewRat(1, 1)) > 0 {
		return errors.New("must be from 0 to 1")
	}
	return err
}

func isRate(s string) error {
	r, err := parseRational(s)
	if err == nil && r.Sign() == 0 {
		return errors.New("must be above 0")
	}
	return err
}

// oneOf checks for one of a few words.
func oneOf(words ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(words, s) {
			return errors.New("must be one of " + strings.Join(words, ", "))
		}
		return nil
	}
}
