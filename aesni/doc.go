// Package aesni is the cryptography of STREAM packets: AES-256-GCM envelopes,
// HMAC-SHA-256 fulfillments and SHA-256 conditions, one packet at a time or a
// vector of packets in one call (IL-RFC 0029, "Encryption" and "Fulfillment
// and Condition Generation").
//
// # Keys live in a table
//
// A connection's secrets never leave the package. [Keys] is a table of
// expanded keys addressed by slot, and a slot is whatever small index the
// caller gives its connections. A packet names its slot in an [Op]:
//
//	keys := aesni.NewKeys()
//	keys.DeriveEncryption(slot, sharedSecret)  // enough to open and to seal
//	keys.DeriveFulfillment(slot, sharedSecret) // now fulfillments can be proved
//
//	op := aesni.Op{Key: slot, Data: prepareData, Text: scratch}
//	keys.Open(&op)
//	if op.OK {
//		plaintext := op.Text[:len(op.Data)-aesni.Overhead]
//		keys.Prove(&op) // op.Fulfillment, op.Condition
//	}
//
// The two derivations are apart so that a receiver can open a packet, and with
// that see that it is genuine, before it pays for the second key. Keys are
// expanded once a connection, never once a packet. Open, Seal, Prove and their
// vectors do not allocate.
//
// # The envelope
//
// STREAM puts the authentication tag before the ciphertext:
//
//	iv (12 octets) | tag (16 octets) | ciphertext
//
// There is no additional data. [Overhead] is the 28 octets in front. Envelopes
// shorter than that are refused, and so are shortened tags.
//
// # IVs
//
// Both ends of a connection seal under one key, so an IV must never come
// twice, from whichever end. [IVSource] makes them; it says why they are safe.
//
// # Goroutines
//
// Nothing here is shared: a [Keys], an [IVSource] and an [Op] belong to one
// goroutine at a time. Two Keys do not influence each other. A [Box] alone may
// be used by many goroutines at once.
//
// # Tiers
//
// [Tier] names the implementation in use. Today there is one, "stdlib", over
// the standard library's AES-GCM and SHA-256. The environment variable
// MILLRACE_AESNI forces a tier; "stdlib" and "generic" both name this one, and
// a name that is not known stops the program at its start rather than run
// other code than was asked for.
//
// With GODEBUG=fips140=on everything works. With fips140=only it cannot: that
// mode refuses AES-GCM under IVs that the caller chooses, which STREAM needs,
// and HMAC keys under 112 bits, which a short shared secret is.
package aesni
