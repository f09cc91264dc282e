package aesni

// MAC is HMAC-SHA-256 under one key, expanded once: for a key that is used again and
// again, as that which turns a server's tokens into shared secrets. It has no state
// but the key, so that many goroutines may use it at once.
type MAC struct {
	tier shaTier
	keys *block
	key  []byte // of the standard library's tier
}

// NewMAC expands key, of any length (RFC 2104). The key is borrowed until return.
func NewMAC(key []byte) *MAC { return newMAC(key, chosen.sha) }

func newMAC(key []byte, tier shaTier) *MAC {
	if tier == shaStdlib {
		return &MAC{key: append([]byte(nil), key...)}
	}
	if len(key) > 64 {
		short := Sum256(key)
		key = short[:]
	}
	m := &MAC{tier: tier, keys: new(block)}
	midstates(key, &m.keys.inner, &m.keys.outer)
	return m
}

// Sum sets dst to the HMAC of data, as HMAC does, and does not allocate. dst may be part
// of data.
func (m *MAC) Sum(dst *[32]byte, data []byte) {
	if m.keys == nil {
		HMAC(dst, m.key, data)
		return
	}
	op := Op{Data: data}
	prove(m.tier, m.keys, &op)
	*dst = op.Fulfillment
}
