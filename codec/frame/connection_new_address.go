package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionNewAddress tells where Prepares for the sender of the frame are to go
// (IL-RFC 0029, "ConnectionNewAddress Frame"). An empty address is legal on the
// wire and means that it cannot receive any.
type ConnectionNewAddress struct {
	Address []byte // not checked; borrowed
}

// Len is the number of octets that Append writes.
func (f ConnectionNewAddress) Len() int { return frameLen(varLen(len(f.Address))) }

// Append appends the frame.
func (f ConnectionNewAddress) Append(dst []byte) []byte {
	dst = appendHead(dst, TypeConnectionNewAddress, varLen(len(f.Address)))
	return oer.AppendVarOctets(dst, f.Address)
}

// ParseConnectionNewAddress reads the frame's body. It cannot fail on a body from
// a parsed packet. Address points into the body.
func ParseConnectionNewAddress(body []byte) (ConnectionNewAddress, error) {
	address, _, err := oer.VarOctets(body, 0)
	if err != nil {
		return ConnectionNewAddress{}, err
	}
	return ConnectionNewAddress{Address: address}, nil
}
