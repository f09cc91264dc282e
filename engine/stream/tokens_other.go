package stream

import (
	"github.com/millrace-ilp/millrace/aesni"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// PlainTokens is the scheme of the reference library before 2.5, of
// interledger-rs and of Quilt: 18 random octets, then "~" and the tag in the
// clear, if there is one. The shared secret is an HMAC over the text. Such a
// token authenticates nothing: a forged one costs the derivation of a key, and
// is refused when its packet does not open.
type PlainTokens struct{ generator *aesni.MAC }

// NewPlainTokens makes the scheme of a server secret of 32 octets.
func NewPlainTokens(serverSecret []byte) (*PlainTokens, error) {
	if len(serverSecret) != 32 {
		return nil, ErrServerSecret
	}
	return &PlainTokens{secretGenerator(serverSecret)}, nil
}

const plainLen = 24 // base64url of 18 octets

// Issue implements TokenScheme. A tag consists of the characters of an address
// segment (letters, digits, "_", "~", "-"); there are no receipts: ErrScheme.
func (t *PlainTokens) Issue(random *[30]byte, o CredentialOptions) (segment string, secret [32]byte, err error) {
	if err := o.check(); err != nil {
		return "", secret, err
	}
	if len(o.ReceiptNonce) > 0 || !isSegment(o.Tag) {
		return "", secret, ErrScheme
	}
	segment = tokenEncoding.EncodeToString(random[:tokenNonce])
	if o.Tag != "" {
		segment += "~" + o.Tag
	}
	t.generator.Sum(&secret, []byte(segment))
	return segment, secret, nil
}

func (t *PlainTokens) open(segment []byte, s *tokenScratch) (o opened, ok bool) {
	if len(segment) < plainLen || len(segment) > plainLen+1+maxTag {
		return o, false
	}
	if _, err := tokenEncoding.Decode(s.token[:], segment[:plainLen]); err != nil {
		return o, false
	}
	if len(segment) > plainLen {
		if segment[plainLen] != '~' {
			return o, false
		}
		o.tag = segment[plainLen+1:]
	}
	t.generator.Sum(&o.secret, segment)
	return o, true
}

func isSegment(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '~' || c == '-') {
			return false
		}
	}
	return true
}

// ReceiverTokens is the scheme of @interledger/stream-receiver, which Rafiki
// uses: AES-256-GCM under HMAC(server secret, "ilp_stream_connection_token") over
// a set of flags and what they announce. An asset in such a token is read and
// not used: ours is the link's.
type ReceiverTokens struct {
	box       *aesni.Box
	generator *aesni.MAC
}

// NewReceiverTokens makes the scheme of a server secret of 32 octets.
func NewReceiverTokens(serverSecret []byte) (*ReceiverTokens, error) {
	if len(serverSecret) != 32 {
		return nil, ErrServerSecret
	}
	var key [32]byte
	aesni.HMAC(&key, serverSecret, []byte("ilp_stream_connection_token"))
	box, err := aesni.NewBox(key[:])
	clear(key[:])
	if err != nil {
		return nil, err
	}
	return &ReceiverTokens{box: box, generator: secretGenerator(serverSecret)}, nil
}

// What a token of the scheme announces.
const (
	receiverTag      = 1 << 0
	receiverReceipts = 1 << 1
	receiverAsset    = 1 << 2
)

// Issue implements TokenScheme; the IV alone makes a token unique.
func (t *ReceiverTokens) Issue(random *[30]byte, o CredentialOptions) (segment string, secret [32]byte, err error) {
	if err := o.check(); err != nil {
		return "", secret, err
	}
	text := make([]byte, 1, maxTokenText)
	if o.Tag != "" {
		text[0] |= receiverTag
		text = oer.AppendVarOctets(text, []byte(o.Tag))
	}
	if len(o.ReceiptNonce) > 0 {
		text[0] |= receiverReceipts
		text = append(append(text, o.ReceiptNonce...), o.ReceiptSecret...)
	}
	token := t.box.Seal(nil, (*[12]byte)(random[tokenNonce:]), text)
	t.generator.Sum(&secret, token)
	return tokenEncoding.EncodeToString(token), secret, nil
}

func (t *ReceiverTokens) open(segment []byte, s *tokenScratch) (o opened, ok bool) {
	n := tokenEncoding.DecodedLen(len(segment))
	if n < 1+aesni.Overhead || n > maxToken {
		return o, false
	}
	n, err := tokenEncoding.Decode(s.token[:], segment)
	if err != nil {
		return o, false
	}
	text, ok := t.box.Open(s.text[:0], s.token[:n])
	if !ok || len(text) < 1 || text[0] > receiverTag|receiverReceipts|receiverAsset {
		return o, false
	}
	off := 1
	if text[0]&receiverTag != 0 {
		if o.tag, off, err = oer.VarOctets(text, off); err != nil {
			return o, false
		}
	}
	if text[0]&receiverReceipts != 0 {
		if len(text) < off+48 {
			return o, false
		}
		o.receiptNonce, o.receiptSecret = text[off:off+16], text[off+16:off+48]
		off += 48
	}
	if text[0]&receiverAsset != 0 {
		if _, off, err = oer.VarOctets(text, off); err != nil || len(text) != off+1 {
			return o, false
		}
	}
	t.generator.Sum(&o.secret, s.token[:n])
	return o, true
}
