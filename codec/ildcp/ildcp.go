// Package ildcp reads and writes the Interledger Dynamic Configuration Protocol
// (IL-RFC 0031): a Prepare of amount zero to the address peer.config, with which
// a node asks the parent on the other end of its link for its address and the
// asset of the link. The condition is that of the peer protocols, whose
// fulfillment is 32 zero octets, so the answer is an ordinary Fulfill.
//
// A child sends AppendRequest and hands what comes back to ParseResponse. A
// parent that sees a Prepare for Destination calls CheckRequest and answers with
// AppendResponse, or with an F00 Reject.
package ildcp

import (
	"bytes"
	"errors"

	"github.com/millrace-ilp/millrace/codec/ilp"
	"github.com/millrace-ilp/millrace/codec/oer"
)

// Destination is the address that requests go to. It is never forwarded.
const Destination = "peer.config"

var (
	// ErrRejected means that the parent answered with a Reject.
	ErrRejected = errors.New("ildcp: request rejected")
	// ErrFulfillment means that a response's fulfillment is not zero.
	ErrFulfillment = errors.New("ildcp: wrong fulfillment")
	// ErrDestination means that a request is for another address.
	ErrDestination = errors.New("ildcp: wrong destination")
	// ErrCondition means that a request's condition is not that of the peer
	// protocols.
	ErrCondition = errors.New("ildcp: wrong condition")
	// ErrExpired means that a request has expired. As its sender's clock may
	// simply be wrong, senders should give it a generous expiry (a minute).
	ErrExpired = errors.New("ildcp: request expired")
)

// Config is what a parent tells. Address and AssetCode of a parsed response
// point into it.
type Config struct {
	Address    []byte // the child's ILP address
	AssetScale uint8  // one unit is 10^-AssetScale of the asset
	AssetCode  []byte // UTF-8; may be empty
}

// AppendRequest appends a whole ILP Prepare that asks for the configuration. It
// panics if expiry is not a date; everything from ilp.MakeTimestamp is one.
func AppendRequest(dst []byte, expiry *ilp.Timestamp) []byte {
	dst, err := ilp.AppendPrepare(dst, &ilp.PrepareFields{
		Expiry:      *expiry,
		Condition:   ilp.PeerCondition,
		Destination: []byte(Destination),
	})
	if err != nil {
		panic("ildcp: " + err.Error())
	}
	return dst
}

// IsRequest reports whether p is for the ILDCP address.
func IsRequest(p ilp.Prepare) bool { return string(p.Destination()) == Destination }

// CheckRequest returns nil if p is a request that a parent should answer at that
// time, else ErrDestination, ErrCondition or ErrExpired. Amount and data do not
// matter.
func CheckRequest(p ilp.Prepare, nowUnixMs int64) error {
	switch {
	case !IsRequest(p):
		return ErrDestination
	case !bytes.Equal(p.Condition(), ilp.PeerCondition[:]):
		return ErrCondition
	case p.ExpiryUnixMs() <= nowUnixMs:
		return ErrExpired
	}
	return nil
}

// AppendResponseData appends the data of a response (IL-RFC 0031, "Response"). It
// does not check c.
func AppendResponseData(dst []byte, c Config) []byte {
	dst = oer.AppendVarOctets(dst, c.Address)
	dst = append(dst, c.AssetScale)
	return oer.AppendVarOctets(dst, c.AssetCode)
}

// AppendResponse appends a whole ILP Fulfill that answers a request. It returns
// dst unchanged with ilp.ErrAddress or ilp.ErrDataLength if c cannot be sent.
func AppendResponse(dst []byte, c Config) ([]byte, error) {
	if err := ilp.CheckAddress(c.Address); err != nil {
		return dst, err
	}
	return ilp.AppendFulfill(dst, &ilp.PeerFulfillment, AppendResponseData(nil, c))
}

// ParseResponseData reads the data of a response; octets behind it are ignored.
// The error is ilp.ErrAddress, oer.ErrTruncated or oer.ErrLength.
func ParseResponseData(data []byte) (Config, error) {
	address, at, err := oer.VarOctets(data, 0)
	if err != nil {
		return Config{}, err
	}
	if err := ilp.CheckAddress(address); err != nil {
		return Config{}, err
	}
	if at >= len(data) {
		return Config{}, oer.ErrTruncated
	}
	scale := data[at]
	code, _, err := oer.VarOctets(data, at+1)
	if err != nil {
		return Config{}, err
	}
	return Config{Address: address, AssetScale: scale, AssetCode: code}, nil
}

// ParseResponse reads the ILP packet that answered a request. The error is
// ErrRejected for a Reject, ErrFulfillment if the fulfillment is not zero, or one
// of ilp.ParseFulfill and ParseResponseData.
func ParseResponse(packet []byte) (Config, error) {
	if ilp.PeekType(packet) == ilp.TypeReject {
		return Config{}, ErrRejected
	}
	f, err := ilp.ParseFulfill(packet)
	if err != nil {
		return Config{}, err
	}
	if !bytes.Equal(f.Fulfillment(), ilp.PeerFulfillment[:]) {
		return Config{}, ErrFulfillment
	}
	return ParseResponseData(f.Data())
}
