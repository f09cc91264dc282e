package spsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/millrace-ilp/millrace/codec/ilp"
)

// Bounds of a query.
const (
	// MaxAnswer is how many octets of an answer are read: an address has at
	// most 1023, a secret 44.
	MaxAnswer = 16 << 10
	// MaxRedirects is how often a query is sent elsewhere before it is given up.
	MaxRedirects = 5
	// Timeout is how long a query takes at most, whatever its context allows.
	Timeout = 10 * time.Second
)

// Errors of Query and Resolve, for errors.Is; a *StatusError is for errors.As.
var (
	// ErrPointer says that something is neither a payment pointer nor a URL that
	// can be asked.
	ErrPointer = errors.New("spsp: not a payment pointer or URL")
	// ErrInsecure says that a URL, or where it redirects to, is not https, which
	// only the loopback of this machine need not be.
	ErrInsecure = errors.New("spsp: not https")
	// ErrAnswer says that the answer is not what IL-RFC 0009 says: no money can
	// be sent on it.
	ErrAnswer = errors.New("spsp: bad answer")
)

// StatusError is an answer with another HTTP status than 200. ID and Message are
// the endpoint's own words, if it had any: show them, do not believe them.
type StatusError struct {
	// Status is the HTTP status.
	Status int
	// ID is a word for programs, such as InvalidReceiverError (IL-RFC 0009).
	ID string
	// Message is for people.
	Message string
}

// Error quotes the endpoint's words.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("spsp: the endpoint answered %d", e.Status)
	if e.ID+e.Message != "" {
		s += fmt.Sprintf(": %.64q %.256q", e.ID, e.Message)
	}
	return s
}

// Details are what a receiver answered.
type Details struct {
	// Address and Secret are for engine.Link.Connect. They are good for one
	// connection; ask again for another.
	Address string
	Secret  [32]byte
	// ReceiptsEnabled says that the receiver will sign receipts (IL-RFC 0039).
	ReceiptsEnabled bool
	// Endpoint is the URL that answered, after redirects: show people its host,
	// for that is whom they pay.
	Endpoint string
}

// Query asks a receiver, named by a payment pointer such as $wallet.example/alice or
// by a URL, for the details of a payment. It asks once, takes no more than Timeout,
// and follows at most MaxRedirects, never from https to http. A nil client asks
// directly, on a connection of its own; another one, such as http.DefaultClient, which
// minds the proxies of the environment, is used with its own redirect policy on
// top.
//
// The answer must have status 200, MediaType, and at most MaxAnswer octets: one
// JSON object with a destination_account that is an ILP address beyond our own
// link (IL-RFC 0015), and a shared_secret of 32 octets. What else is in it is ignored.
//
// Errors: ErrPointer, ErrInsecure, ErrAnswer, *StatusError, ctx's, and those of the
// network.
func Query(ctx context.Context, client *http.Client, pointerOrURL string) (Details, error) {
	endpoint, err := Resolve(pointerOrURL)
	if err != nil {
		return Details{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return Details{}, fmt.Errorf("%w: %w", ErrPointer, err)
	}
	request.Header.Set("Accept", MediaType)
	response, err := careful(client).Do(request)
	if err != nil {
		return Details{}, fmt.Errorf("spsp: query: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if err != nil {
		return Details{}, fmt.Errorf("spsp: query: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return Details{}, statusError(response.StatusCode, body)
	}
	if len(body) > MaxAnswer {
		return Details{}, fmt.Errorf("%w: more than %d octets", ErrAnswer, MaxAnswer)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != MediaType {
		return Details{}, fmt.Errorf("%w: its Content-Type is %.100q", ErrAnswer, response.Header.Get("Content-Type"))
	}
	d, err := parse(body)
	d.Endpoint = response.Request.URL.String()
	return d, err
}

// careful is the client with a redirect policy of ours before its own.
func careful(client *http.Client) *http.Client {
	if client == nil {
		client = &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 4 * MaxAnswer,
		}}
	}
	c := *client
	c.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		if len(via) > MaxRedirects {
			return fmt.Errorf("%w: more than %d redirects", ErrAnswer, MaxRedirects)
		}
		if from := via[len(via)-1].URL; !secure(to.URL) || from.Scheme == "https" && to.URL.Scheme != "https" {
			return fmt.Errorf("%w: redirect to %.100q", ErrInsecure, to.URL.Scheme+"://"+to.URL.Host)
		}
		if client.CheckRedirect != nil {
			return client.CheckRedirect(to, via)
		}
		return nil
	}
	return &c
}

// statusError takes the words of an error that has some.
func statusError(status int, body []byte) error {
	var p problem
	if len(body) > MaxAnswer || json.Unmarshal(body, &p) != nil {
		p = problem{}
	}
	return &StatusError{Status: status, ID: p.ID, Message: p.Message}
}

// parse reads the body of an answer. Names count to the letter, which the decoder's own
// matching of fields does not demand.
func parse(body []byte) (d Details, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return Details{}, fmt.Errorf("%w: not a JSON object", ErrAnswer)
	}
	var address, secret *string
	if json.Unmarshal(fields["destination_account"], &address) != nil || address == nil {
		return Details{}, fmt.Errorf("%w: no destination_account", ErrAnswer)
	}
	if json.Unmarshal(fields["shared_secret"], &secret) != nil || secret == nil {
		return Details{}, fmt.Errorf("%w: no shared_secret", ErrAnswer)
	}
	if err := checkDestination(*address); err != nil {
		return Details{}, err
	}
	key, ok := unbase64(*secret, len(d.Secret))
	if !ok {
		return Details{}, fmt.Errorf("%w: the shared_secret is not 32 octets in base64", ErrAnswer)
	}
	if enabled, given := fields["receipts_enabled"]; given && json.Unmarshal(enabled, &d.ReceiptsEnabled) != nil {
		return Details{}, fmt.Errorf("%w: receipts_enabled is neither true nor false", ErrAnswer)
	}
	d.Address, d.Secret = *address, [32]byte(key)
	return d, nil
}

// checkDestination refuses what is no ILP address, and those that mean our own
// neighbour: a receiver must not make us speak peer.config, or what else the
// neighbour listens to, in its name.
func checkDestination(address string) error {
	if err := ilp.CheckAddress([]byte(address)); err != nil {
		return fmt.Errorf("%w: the destination_account: %w", ErrAnswer, err)
	}
	for _, local := range []string{"peer", "self"} {
		if address == local || len(address) > len(local) && address[:len(local)+1] == local+"." {
			return fmt.Errorf("%w: the destination_account is local: %.100q", ErrAnswer, address)
		}
	}
	return nil
}

// secure says whether a URL may be asked: by https, or on this machine's loopback.
func secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}
