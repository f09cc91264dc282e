package transport

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// target is what a btp+ws URL names.
type target struct {
	addr            string   // host and port to dial
	ws              *url.URL // what the handshake asks for
	username, token string
}

// parseURL reads btp+ws://user:token@host:port/path?query. User and token are
// taken as they stand: deployed clients do not decode percent-encoding in them
// either, so a decoded one would be another token.
func parseURL(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok:
		return target{}, fmt.Errorf("%w: no scheme", ErrURL)
	case strings.EqualFold(scheme, "btp+wss"):
		return target{}, ErrWSS
	case !strings.EqualFold(scheme, "btp+ws"):
		return target{}, fmt.Errorf("%w: scheme is %q", ErrURL, scheme)
	}
	var t target
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	path := rest[len(authority):]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		t.username, t.token, _ = strings.Cut(authority[:i], ":")
		authority = authority[i+1:]
	}
	u, err := url.Parse("ws://" + authority + path)
	if err != nil {
		// Its text may hold the URL: not the credentials, which are cut off.
		return target{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if u.Hostname() == "" {
		return target{}, fmt.Errorf("%w: no host", ErrURL)
	}
	u.Fragment = ""
	if u.Path == "" {
		u.Path = "/"
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	t.addr, t.ws = net.JoinHostPort(u.Hostname(), port), u
	return t, nil
}
