package spsp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// MediaType is what SPSP 4 queries ask for and answers are (IL-RFC 0009).
const MediaType = "application/spsp4+json"

// ErrNoReceiver is for Handler.Receiver to say that nobody can be paid at a URL.
var ErrNoReceiver = errors.New("spsp: no such receiver")

// Issuer makes credentials: an *engine.Server.
type Issuer interface {
	// Credentials makes new ones, each good for one connection. It is called on
	// many goroutines.
	Credentials(o stream.CredentialOptions) (engine.Credentials, error)
}

// Handler answers SPSP queries, whatever their path: mount it where the payment
// pointer leads. Each query gets fresh credentials.
//
// It answers 200 to GET and HEAD, 204 to OPTIONS and 405 to other methods; 406 when the
// Accept header leaves no room for MediaType; 400 when one of the headers Receipt-Nonce
// (16 octets in base64) and Receipt-Secret (32) is missing or malformed; 404 for
// ErrNoReceiver; 500 when there are no credentials. Errors have a JSON body with id
// and message. Scripts of any web page may ask (CORS), as Web Monetization needs.
//
// It is safe for concurrent use; its fields are not to be changed while it serves.
type Handler struct {
	// Server issues the credentials. Required.
	Server Issuer
	// Receiver says what goes into the credentials, by the path or the host
	// that was asked: the Tag. ErrNoReceiver refuses. The receipt fields are
	// overwritten when the query has receipt headers. Nil means no tag.
	Receiver func(r *http.Request) (stream.CredentialOptions, error)
	// MaxAge is how long a client may use an answer again, in whole seconds.
	// Zero or less asks for a query for each payment (no-cache). Credentials are
	// good for one connection (engine.Server.Credentials): set it only for clients
	// that ask more often than they connect. An answer to a query with receipt
	// headers is never used again.
	MaxAge time.Duration
	// Answered, if not nil, is told of each query before its answer leaves: the
	// HTTP status, and why it is not 200 or 204.
	Answered func(r *http.Request, status int, err error)
}

// answer is the body of a 200.
type answer struct {
	DestinationAccount string `json:"destination_account"`
	SharedSecret       string `json:"shared_secret"`
	ReceiptsEnabled    bool   `json:"receipts_enabled,omitempty"`
}

// problem is the body of an error.
type problem struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// refusal is an error with its HTTP status.
type refusal struct {
	status int
	id     string
	err    error
}

var (
	errMethod = errors.New("spsp: a query is a GET request")
	errAccept = errors.New("spsp: the answer is " + MediaType + ", which the Accept header excludes")
	errHeader = errors.New("spsp: Receipt-Nonce is 16 octets in base64, Receipt-Secret 32, and both are given or none")
)

// ServeHTTP answers one query.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Headers", "web-monetization-id")
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
		h.tell(r, http.StatusNoContent, nil)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	header.Set("Content-Type", MediaType)
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept")
	a, no := h.answer(r)
	if no != nil {
		if no.status == http.StatusMethodNotAllowed {
			header.Set("Allow", "GET, HEAD, OPTIONS")
		}
		message := no.err.Error()
		if no.status == http.StatusInternalServerError {
			message = "no credentials at the moment" // the cause is none of the client's business
		}
		h.send(w, r, no.status, no.err, problem{no.id, strings.TrimPrefix(message, "spsp: ")})
		return
	}
	if age := h.MaxAge / time.Second; age > 0 && !a.ReceiptsEnabled {
		// private: a cache that many share must not hand one secret to two clients.
		header.Set("Cache-Control", "private, max-age="+strconv.FormatInt(int64(age), 10))
	}
	h.send(w, r, http.StatusOK, nil, a)
}

// answer makes the credentials, or says why not.
func (h *Handler) answer(r *http.Request) (*answer, *refusal) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, &refusal{http.StatusMethodNotAllowed, "InvalidMethodError", errMethod}
	}
	if !accepts(r.Header["Accept"]) {
		return nil, &refusal{http.StatusNotAcceptable, "NotAcceptableError", errAccept}
	}
	nonce, okNonce := octets(r.Header["Receipt-Nonce"], 16)
	secret, okSecret := octets(r.Header["Receipt-Secret"], 32)
	if !okNonce || !okSecret || (nonce == nil) != (secret == nil) {
		return nil, &refusal{http.StatusBadRequest, "InvalidReceiptRequestError", errHeader}
	}
	var o stream.CredentialOptions
	if h.Receiver != nil {
		var err error
		switch o, err = h.Receiver(r); {
		case errors.Is(err, ErrNoReceiver):
			return nil, &refusal{http.StatusNotFound, "InvalidReceiverError", ErrNoReceiver}
		case err != nil:
			return nil, &refusal{http.StatusInternalServerError, "InternalError", err}
		}
	}
	if nonce != nil {
		o.ReceiptNonce, o.ReceiptSecret = nonce, secret
	}
	c, err := h.Server.Credentials(o)
	if errors.Is(err, stream.ErrScheme) && nonce != nil {
		// The server's tokens carry no receipts. The answer says so by not saying
		// that they are enabled; the verifier then refuses the sender.
		o.ReceiptNonce, o.ReceiptSecret = nil, nil
		c, err = h.Server.Credentials(o)
	}
	if err != nil {
		return nil, &refusal{http.StatusInternalServerError, "InternalError", fmt.Errorf("spsp: credentials: %w", err)}
	}
	return &answer{c.Address, base64.StdEncoding.EncodeToString(c.Secret[:]), o.ReceiptNonce != nil}, nil
}

func (h *Handler) tell(r *http.Request, status int, err error) {
	if h.Answered != nil {
		h.Answered(r, status, err)
	}
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, status int, why error, body any) {
	h.tell(r, status, why)
	text, err := json.Marshal(body)
	if err != nil { // two structs of strings: it cannot be
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that is gone needs no answer
}

// accepts says whether the Accept header lets MediaType through (RFC 9110
// §12.5.1). The most specific range decides; no header accepts everything.
func accepts(header []string) bool {
	if len(header) == 0 {
		return true
	}
	best, accepted := -1, false
	for _, part := range strings.Split(strings.Join(header, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		rank := map[string]int{"*/*": 1, "application/*": 2, MediaType: 3}[kind]
		if rank == 0 || rank < best {
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				q = 0
			}
		}
		best, accepted = rank, q > 0 || rank == best && accepted
	}
	return accepted
}

// octets reads a header of n octets in base64: nil when it is not there, false
// when it is something else.
func octets(values []string, n int) ([]byte, bool) {
	switch len(values) {
	case 0:
		return nil, true
	case 1:
		b, ok := unbase64(values[0], n)
		return b, ok
	}
	return nil, false
}

// unbase64 decodes exactly n octets of base64 in either alphabet, padded or not.
func unbase64(s string, n int) ([]byte, bool) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	if len(s) == base64.StdEncoding.EncodedLen(n) {
		s = strings.TrimRight(s, "=")
	}
	if len(s) != base64.RawStdEncoding.EncodedLen(n) {
		return nil, false // also keeps out the line ends that the decoder would skip
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil && len(b) == n
}
