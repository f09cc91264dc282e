// Package echo reads and writes the data of echo packets, with which a sender
// finds out whether a node is reachable and how far away it is, without a receiver
// behind it. A request is a Prepare to the node's own address that names the
// sender's; the node sends a Prepare of the same amount and condition back to
// there, and answers the request as that is answered. As only the sender knows the
// fulfillment, whatever amount goes round comes back to it. There is no RFC: this
// is the form that the JavaScript connector, interledger-rs and Rafiki share.
package echo

import (
	"bytes"
	"errors"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// prefix begins the data of both packets; one octet for the type follows.
const prefix = "ECHOECHOECHOECHO"

const (
	typeRequest  = 0
	typeResponse = 1
)

// ResponseLen is the length of the data of a response.
const ResponseLen = len(prefix) + 1

// ErrNotEcho means that data is not that of an echo request.
var ErrNotEcho = errors.New("echo: not a request")

// AppendRequestData appends the data of a request that is to come back to the
// source address. It returns dst unchanged with ilp.ErrAddress if that is not an
// ILP address.
func AppendRequestData(dst, source []byte) ([]byte, error) {
	if err := ilp.CheckAddress(source); err != nil {
		return dst, err
	}
	dst = append(append(dst, prefix...), typeRequest)
	return oer.AppendVarOctets(dst, source), nil
}

// ParseRequestData is the source address of a request, which points into data;
// octets behind it are ignored. The error is ErrNotEcho, ilp.ErrAddress,
// oer.ErrTruncated or oer.ErrLength.
func ParseRequestData(data []byte) (source []byte, err error) {
	if !IsRequest(data) {
		return nil, ErrNotEcho
	}
	source, _, err = oer.VarOctets(data, ResponseLen)
	if err != nil {
		return nil, err
	}
	return source, ilp.CheckAddress(source)
}

// AppendResponseData appends the data of a response.
func AppendResponseData(dst []byte) []byte {
	return append(append(dst, prefix...), typeResponse)
}

// IsRequest and IsResponse tell by its first octets what data is.
func IsRequest(data []byte) bool { return is(data, typeRequest) }

// IsResponse is explained with IsRequest.
func IsResponse(data []byte) bool { return is(data, typeResponse) }

func is(data []byte, kind byte) bool {
	return len(data) >= ResponseLen && bytes.Equal(data[:len(prefix)], []byte(prefix)) && data[len(prefix)] == kind
}
