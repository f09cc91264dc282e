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
// twice, from whichever end. [IVSource] makes them, and knows its own when a
// connector sends back what was sealed under them; it says why they are safe.
//
// # Goroutines
//
// Nothing here is shared: a [Keys], an [IVSource] and an [Op] belong to one
// goroutine at a time. Two Keys do not influence each other. A [Box] alone may
// be used by many goroutines at once.
//
// # What is promised
//
// Every tier gives the same octets, and those of the standard library: its tests hold
// each to crypto/aes, crypto/cipher and crypto/hmac at every length, in every place in
// memory, and to Wycheproof, RFC 4231 and the vectors of the GCM specification. The
// chosen one shows at start that it works on this machine, or the program ends.
//
// [Keys.Open] writes nothing unless the tag is right: a forged envelope leaves its
// destination as it was, and costs no more than a genuine one. In our own kernels neither
// a branch nor an address depends on a key, a plaintext or a tag, only on lengths and on
// whether the tag was right, which is no secret. Nor do they in the standard library
// where it uses the processor's AES; where there is none (386, and -tags purego), it looks
// things up in tables at addresses that depend on keys. [Keys.Wipe], Move and
// DeriveEncryption overwrite the keys of our own tiers that they end.
//
// Not promised: that keys never lie elsewhere (the Go runtime may have copied a caller's
// secret; stacks and vector registers are not wiped, nor are a [Box] and an [AEAD], which
// have no end), anything against somebody who shares the machine
// and measures power or faults, or any certificate: in FIPS 140 mode the standard
// library is used. The IVs are the caller's: sealing twice under one IV and key gives
// both plaintexts and the authentication key away. One key must not seal more than 2^32
// packets.
//
// # Tiers
//
// A tier is an implementation of AES-256-GCM and one of SHA-256, chosen once at start for
// the processor; [Tier] names it, such as "vaes512+sha16".
//
//	vaes512  AVX-512 with VAES and VPCLMULQDQ: sixteen blocks at a time, octet masks
//	vaes256  AVX2 with VAES
//	aesni    AES-NI and PCLMULQDQ with AVX
//	sha16    AVX-512: sixteen packets at a time, four or one with the SHA extensions
//	sha4     four packets at a time with the SHA extensions and AVX-512's registers
//	sha2     two at a time with the SHA extensions
//	stdlib, stdsha  the standard library: every other processor, and -tags purego
//
// The environment variable MILLRACE_AESNI forces a tier ("vaes256", "sha2",
// "aesni+sha2"; "stdlib" or "generic" is both of the standard library's). A name that is
// unknown, or that this machine can not run, stops the program at its start rather than
// run other code than was asked for.
//
// With GODEBUG=fips140=on the standard library is used. With fips140=only nothing would
// work, and the program ends at its start: that mode refuses AES-GCM under IVs that the
// caller chooses, which STREAM needs, and HMAC keys under 112 bits, which a short shared
// secret is.
//
// # Vectors
//
// Packets of a vector may belong to different connections. OpenVector and SealVector
// fetch the keys of packets ahead of their turn, where there are more than a cache holds;
// SealWarm does not. ProveVector hashes packets side by side that have equally many
// blocks. None waits for a vector to fill: one packet is a vector of one. No kernel is
// given more than 128 KiB, less than 0.1 ms of work, so that the goroutine can be
// preempted in between.
package aesni
