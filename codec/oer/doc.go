// Package oer reads and writes the part of the Octet Encoding Rules that
// Interledger uses (IL-RFC 0030): length determinants, variable-length octet
// strings and variable-length unsigned integers.
//
// The writers append to a slice or put into a region of known size. The
// readers take the octets and an offset, and return what they found with the
// offset behind it:
//
//	name, next, err := oer.VarOctets(b, 0)
//	shares, next, err := oer.VarUint(b, next)
//
// What comes back points into the input. Nothing is copied, nothing is
// allocated, and no length that a peer declares is believed before it has been
// compared with the octets that are there.
//
// Writers always emit the one canonical form. Readers accept what deployed
// implementations emit and no more:
//
//   - a length determinant must be in its shortest form; the indefinite form
//     (80) and more than eight length octets are refused;
//   - a variable-length unsigned integer has one to eight octets; leading
//     zero octets are allowed, although the specification forbids them, because
//     other implementations have always accepted them.
package oer
