package stream

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// ServerID numbers the servers of a machine, from 1.
type ServerID uint32

// CredentialOptions go into an address token, sealed, and come back when a
// client uses it.
type CredentialOptions struct {
	// Tag is told to the application with the connection. ASCII, at most 512 octets.
	Tag string
	// ReceiptNonce (16 octets) and ReceiptSecret (32) are given together or not at all.
	ReceiptNonce, ReceiptSecret []byte
}

// Credential errors.
var (
	ErrServerSecret  = errors.New("stream: a server secret has 32 octets")
	ErrTag           = errors.New("stream: a connection tag is ASCII of at most 512 octets")
	ErrReceiptParams = errors.New("stream: a receipt nonce has 16 octets, its secret 32, and both are given or none")
)

const (
	maxTag       = 512
	tokenNonce   = 18
	maxTokenText = tokenNonce + 3 + 2 + maxTag + 16 + 32
	maxToken     = maxTokenText + aesni.Overhead
)

var tokenEncoding = base64.RawURLEncoding.Strict()

// Tokens makes and reads the address tokens of one server secret, in the form
// of the reference library since 2.5: AES-256-GCM under the secret itself over
// nonce, tag, receipt nonce and receipt secret; the shared secret is
// HMAC(HMAC(server secret, "ilp_stream_shared_secret"), token). A server that
// is given the secret of a JavaScript one takes over its credentials. Nothing
// is stored. Tokens is safe for concurrent use.
type Tokens struct {
	box       *aesni.Box
	generator [32]byte
}

// NewTokens makes the token scheme of a server secret of 32 octets.
func NewTokens(serverSecret []byte) (*Tokens, error) {
	if len(serverSecret) != 32 {
		return nil, ErrServerSecret
	}
	box, err := aesni.NewBox(serverSecret)
	if err != nil {
		return nil, err
	}
	t := &Tokens{box: box}
	aesni.HMAC(&t.generator, serverSecret, []byte(aesni.LabelSharedSecret))
	return t, nil
}

// Issue makes a token segment for an address, and its shared secret. random is
// 30 octets from a secure source: 18 for the nonce and 12 for the IV.
func (t *Tokens) Issue(random *[30]byte, o CredentialOptions) (segment string, secret [32]byte, err error) {
	if len(o.Tag) > maxTag || !isASCII(o.Tag) {
		return "", secret, ErrTag
	}
	if n, s := len(o.ReceiptNonce), len(o.ReceiptSecret); (n != 0 || s != 0) && (n != 16 || s != 32) {
		return "", secret, ErrReceiptParams
	}
	text := make([]byte, 0, maxTokenText)
	text = append(text, random[:tokenNonce]...)
	text = oer.AppendVarOctets(text, []byte(o.Tag))
	text = oer.AppendVarOctets(text, o.ReceiptNonce)
	text = oer.AppendVarOctets(text, o.ReceiptSecret)
	token := t.box.Seal(nil, (*[12]byte)(random[tokenNonce:]), text)
	t.secret(&secret, token)
	return tokenEncoding.EncodeToString(token), secret, nil
}

func (t *Tokens) secret(secret *[32]byte, token []byte) {
	aesni.HMAC(secret, t.generator[:], token)
}

// opened is what a token says.
type opened struct {
	secret        [32]byte
	tag           []byte
	receiptNonce  []byte
	receiptSecret []byte
}

// tokenScratch is the memory that open works in.
type tokenScratch struct {
	token [maxToken]byte
	text  [maxTokenText]byte
}

// open authenticates a token segment before anything is derived from it. The
// slices of the result are in the scratch. The spelling is strict: one token
// has one spelling.
func (t *Tokens) open(segment []byte, s *tokenScratch) (o opened, ok bool) {
	n := tokenEncoding.DecodedLen(len(segment))
	if n < tokenNonce+3+aesni.Overhead || n > maxToken {
		return o, false
	}
	n, err := tokenEncoding.Decode(s.token[:], segment)
	if err != nil {
		return o, false
	}
	text, ok := t.box.Open(s.text[:0], s.token[:n])
	if !ok || len(text) < tokenNonce {
		return o, false
	}
	off := tokenNonce
	if o.tag, off, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	if o.receiptNonce, off, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	if o.receiptSecret, _, err = oer.VarOctets(text, off); err != nil {
		return o, false
	}
	t.secret(&o.secret, s.token[:n])
	return o, true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > 0x7e || s[i] < 0x20 {
			return false
		}
	}
	return true
}

// PacketID is a name for one packet of a connection that only its two ends
// know: HMAC(shared secret, "ilp_stream_packet_id" || sequence).
func PacketID(sharedSecret []byte, sequence Sequence) (id [32]byte) {
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], sequence)
	aesni.HMAC(&id, sharedSecret, []byte(aesni.LabelPacketID), be[:])
	return id
}

// ServerConfig describes a server to a machine.
type ServerConfig struct {
	Tokens  *Tokens
	Options Options // of its connections
	User    uint64  // tag of its connections until they have their own
}

type server struct {
	tokens  *Tokens
	options uint32
	user    uint64
	closed  bool
}

// AddServer adds a server; links are pointed at it by LinkConfig.Server or
// SetServer. Servers are never removed: CloseServer ends one.
func (m *Machine) AddServer(cfg ServerConfig) (ServerID, error) {
	options, err := m.addOptions(cfg.Options)
	if err != nil {
		return 0, err
	}
	m.servers = append(m.servers, server{tokens: cfg.Tokens, options: options, user: cfg.User})
	return ServerID(len(m.servers) - 1), nil
}

// CloseServer answers every further packet of the server with T99 and ends its
// connections.
func (m *Machine) CloseServer(now Instant, id ServerID) {
	if int(id) >= len(m.servers) || id == 0 {
		return
	}
	m.now = now
	m.servers[id].closed = true
	for c := uint32(1); c < uint32(len(m.cold)); c++ {
		if m.liveConn(c) && m.conns.At(c).server == uint32(id) {
			m.beginEnd(c, 1, nil)
		}
	}
}

// tokenHash is a keyed hash of an address token. It only finds a record: the
// packet must still decrypt under that record's key.
func (m *Machine) tokenHash(token []byte) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	a, b := m.cfg.HashSeed[0]^k0, m.cfg.HashSeed[1]^uint64(len(token))*k1
	for len(token) >= 8 {
		hi, lo := bits.Mul64(a^binary.LittleEndian.Uint64(token), b|1)
		a, b = lo^b, hi^bits.RotateLeft64(b, 23)+k0
		token = token[8:]
	}
	var last uint64
	for i, x := range token {
		last |= uint64(x) << (8 * i)
	}
	hi, lo := bits.Mul64(a^last^k1, b|1)
	hi, lo = bits.Mul64(hi^k0^a, lo^b|1)
	return hi ^ lo
}
