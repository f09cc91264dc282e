package spsp

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// wellKnown is the path of a pointer that has none (IL-RFC 0026).
const wellKnown = "/.well-known/pay"

// Resolve is the URL that is asked for a payment pointer (IL-RFC 0026):
//
//	$wallet.example          https://wallet.example/.well-known/pay
//	$wallet.example/alice    https://wallet.example/alice
//
// A pointer is a host and a path, in ASCII: no user, port, query or fragment. A
// URL stands for itself, with the same path when it has none; it must be https, or
// lead to this machine's loopback (ErrInsecure), and has no user and no fragment.
// Everything else is ErrPointer.
func Resolve(pointerOrURL string) (string, error) {
	for _, c := range []byte(pointerOrURL) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return "", fmt.Errorf("%w: %.100q has a character that belongs in none", ErrPointer, pointerOrURL)
		}
	}
	text, isPointer := strings.CutPrefix(pointerOrURL, "$")
	if isPointer {
		host, _, _ := strings.Cut(text, "/")
		if !isHost(host) || strings.ContainsAny(text, "?#") {
			return "", fmt.Errorf("%w: %.100q is not $, a host and a path", ErrPointer, pointerOrURL)
		}
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %.100q", ErrPointer, pointerOrURL) // err would say the same at length
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%w: %.100q has neither $ nor https:// before it", ErrPointer, pointerOrURL)
	case u.Hostname() == "" || u.User != nil || strings.Contains(text, "#"):
		return "", fmt.Errorf("%w: %.100q has no host, or has a user or a fragment", ErrPointer, pointerOrURL)
	case !secure(u):
		return "", fmt.Errorf("%w: %.100q", ErrInsecure, pointerOrURL)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = wellKnown
	}
	return u.String(), nil
}

// isHost says whether a name is one of DNS, or an IPv4 address: letters, digits, hyphens
// and dots (RFC 3986 allows more, DNS does not).
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
