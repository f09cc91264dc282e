package aesni

import "crypto/fips140"

// fips says whether the process wants validated cryptography, which our kernels are
// not. With GODEBUG=fips140=only nothing would work, and that is said at once.
func fips() bool {
	if fips140.Enforced() {
		panic("aesni: GODEBUG=fips140=only refuses AES-GCM under IVs that the caller chooses, which STREAM (IL-RFC 0029) needs; fips140=on works")
	}
	return fips140.Enabled()
}
