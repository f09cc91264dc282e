// Package asm holds the generators of the package's assembly. It is a module of its
// own, so that users of the package need none of it.
package asm

//go:generate go run ./gcm -out ../gcm_amd64.s -stubs ../gcm_amd64.go -pkg aesni
//go:generate go run ./keys -out ../keys_amd64.s -stubs ../keys_amd64.go -pkg aesni
//go:generate go run ./narrow -out ../narrow_amd64.s -stubs ../narrow_amd64.go -pkg aesni
//go:generate go run ./sha -out ../sha_amd64.s -stubs ../sha_amd64.go -pkg aesni
//go:generate go run ./sha16 -out ../sha16_amd64.s -stubs ../sha16_amd64.go -pkg aesni
