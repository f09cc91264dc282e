package stream

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/millrace-ilp/millrace/aesni"
)

// ServerID numbers the servers of a machine, from 1.
type ServerID uint32

// CredentialOptions go into an address token, sealed, and come back when a
// client uses it.
type CredentialOptions struct {
	// Tag is told to the application with the connection. ASCII, at most 512 octets.
	Tag string
	// ReceiptNonce (16 octets) and ReceiptSecret (32) are given together or not at all
	// (IL-RFC 0039). They are copied into the token.
	ReceiptNonce, ReceiptSecret []byte
}

// Credential errors.
var (
	// ErrServerSecret is for NewTokens, NewPlainTokens and NewReceiverTokens.
	ErrServerSecret = errors.New("stream: a server secret has 32 octets")
	// ErrTag is for TokenScheme.Issue.
	ErrTag = errors.New("stream: a connection tag is ASCII of at most 512 octets")
	// ErrReceiptParams is for TokenScheme.Issue.
	ErrReceiptParams = errors.New("stream: a receipt nonce has 16 octets, its secret 32, and both are given or none")
	// ErrScheme is for PlainTokens.Issue, which has no receipts and tags of few
	// characters only.
	ErrScheme = errors.New("stream: the token scheme can not carry that")
)

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
	Tokens  TokenScheme // reads the tokens of its addresses
	Options Options     // of its connections
	Expiry  ExpiryFunc  // of their packets, instead of Options.Expiry, if not nil
	Decide  bool        // their incoming money waits for Machine.Decide
	User    uint64      // tag of its connections until they have their own
}

type server struct {
	tokens  TokenScheme
	options uint32
	expiry  ExpiryFunc
	decide  bool
	user    uint64
	closed  bool
}

// AddServer adds a server, or fails with ErrConfig; links are pointed at it by LinkConfig.Server or
// SetServer. Servers are never removed: CloseServer ends one.
func (m *Machine) AddServer(cfg ServerConfig) (ServerID, error) {
	options, err := m.options.use(cfg.Options)
	if err != nil {
		return 0, err
	}
	m.servers = append(m.servers, server{tokens: cfg.Tokens, options: options, expiry: cfg.Expiry, decide: cfg.Decide || m.cfg.Decide, user: cfg.User})
	return ServerID(len(m.servers) - 1), nil
}

// CloseServer answers new clients of the server with T99 and ends the connections
// that it has.
func (m *Machine) CloseServer(now Instant, id ServerID) {
	if int(id) >= len(m.servers) || id == 0 {
		return
	}
	m.now = now
	m.servers[id].closed = true
	for i := range m.walk(true, func(b belongs) bool { return b.server == uint32(id) }) {
		m.beginEnd(i, 1, nil)
	}
}

// tokenHash is a keyed hash of an address token. It only finds a record: the
// packet must still decrypt under that record's key.
func (m *Machine) tokenHash(token []byte) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	a, b := m.cfg.HashSeed[0]^k0, m.cfg.HashSeed[1]^uint64(len(token))*k1
	h, g := a, b^k0
	var x, y uint64
	if len(token) >= 16 {
		// Two chains side by side. The last 16 octets stand for themselves; the chains
		// may have taken some of them already.
		last := token[len(token)-16:]
		x, y = binary.LittleEndian.Uint64(last), binary.LittleEndian.Uint64(last[8:])
		for ; len(token) > 32; token = token[32:] {
			h = fold(binary.LittleEndian.Uint64(token)^b, binary.LittleEndian.Uint64(token[8:])^h)
			g = fold(binary.LittleEndian.Uint64(token[16:])^a, binary.LittleEndian.Uint64(token[24:])^g)
		}
		if len(token) > 16 {
			h = fold(binary.LittleEndian.Uint64(token)^b, binary.LittleEndian.Uint64(token[8:])^h)
		}
	} else {
		var short [16]byte
		copy(short[:], token)
		x, y = binary.LittleEndian.Uint64(short[:]), binary.LittleEndian.Uint64(short[8:])
	}
	hi, lo := bits.Mul64(x^a^k1^g, y^h) // g is b^k0 where nothing was folded: b would cancel out
	return fold(hi^a, lo^b)
}

// fold multiplies, and puts both halves of the product together.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}
