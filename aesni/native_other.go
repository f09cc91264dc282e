//go:build !amd64 || purego || !gc

package aesni

// Here there is nothing but the standard library: no tier below is ever chosen.
var best implementation

func expand(*[32]byte, *block)                         { panic("aesni: no kernels") }
func seal(gcmTier, *block, *[12]byte, []byte, []byte)  { panic("aesni: no kernels") }
func open(gcmTier, *block, []byte, []byte) bool        { panic("aesni: no kernels") }
func openShort(*block, []byte, []byte, int) bool       { panic("aesni: no kernels") }
func sealShort(*block, *[12]byte, []byte, []byte, int) { panic("aesni: no kernels") }
func prove(shaTier, *block, *Op)                       { panic("aesni: no kernels") }
func proveSome(int, *[maxLanes]proof)                  { panic("aesni: no kernels") }
func midstates([]byte, *[8]uint32, *[8]uint32)         { panic("aesni: no kernels") }
func hmacPair(*[2][32]byte, []byte, *[2][64]byte)      { panic("aesni: no kernels") }
func prefetch(*block)                                  {}
func lanes(shaTier, int, int) int                      { return 1 }

const maxKernel = 0
