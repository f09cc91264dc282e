package btp

import (
	"encoding/binary"

	"github.com/millrace-ilp/millrace/codec/oer"
)

// AppendMessage appends a Message with the given sub-protocols, of which it
// keeps nothing.
func AppendMessage(dst []byte, requestID uint32, subs ...SubProtocol) []byte {
	dst = appendHeader(dst, TypeMessage, requestID, subsLen(subs))
	return appendSubs(dst, subs)
}

// AppendResponse appends a Response with the given sub-protocols, of which it
// keeps nothing. Without any it is the answer to a request that asked nothing.
func AppendResponse(dst []byte, requestID uint32, subs ...SubProtocol) []byte {
	dst = appendHeader(dst, TypeResponse, requestID, subsLen(subs))
	return appendSubs(dst, subs)
}

// AppendTransfer appends a Transfer of amount units of the link.
func AppendTransfer(dst []byte, requestID uint32, amount uint64, subs ...SubProtocol) []byte {
	dst = appendHeader(dst, TypeTransfer, requestID, 8+subsLen(subs))
	dst = binary.BigEndian.AppendUint64(dst, amount)
	return appendSubs(dst, subs)
}

// AppendAuth appends the Message that opens a session: the sub-protocols auth,
// auth_username and auth_token, in that order (IL-RFC 0023, "Authentication").
// username may be empty and is written all the same, as deployed clients do.
func AppendAuth(dst []byte, requestID uint32, username, token string) []byte {
	return AppendMessage(dst, requestID,
		SubProtocol{Name: []byte("auth")},
		SubProtocol{Name: []byte("auth_username"), ContentType: TextPlain, Data: []byte(username)},
		SubProtocol{Name: []byte("auth_token"), ContentType: TextPlain, Data: []byte(token)},
	)
}

func appendHeader(dst []byte, t Type, requestID uint32, contentsLen int) []byte {
	dst = append(dst, byte(t))
	dst = binary.BigEndian.AppendUint32(dst, requestID)
	return oer.AppendLength(dst, contentsLen)
}

func appendSubs(dst []byte, subs []SubProtocol) []byte {
	dst = oer.AppendVarUint(dst, uint64(len(subs)))
	for i := range subs {
		dst = oer.AppendVarOctets(dst, subs[i].Name)
		dst = append(dst, subs[i].ContentType)
		dst = oer.AppendVarOctets(dst, subs[i].Data)
	}
	return dst
}

func subsLen(subs []SubProtocol) int {
	n := oer.VarUintLen(uint64(len(subs)))
	for i := range subs {
		n += varLen(len(subs[i].Name)) + 1 + varLen(len(subs[i].Data))
	}
	return n
}

// varLen is the length of a variable-length octet string of n octets.
func varLen(n int) int { return oer.LengthLen(n) + n }
