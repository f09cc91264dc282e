package frame

import "github.com/millrace-ilp/millrace/codec/oer"

// ConnectionAssetDetails tells which asset, in which unit, the sender of the frame
// counts in (IL-RFC 0029, "ConnectionAssetDetails Frame").
type ConnectionAssetDetails struct {
	AssetCode []byte // UTF-8; borrowed
	Scale     uint8  // one unit is 10^-Scale of the asset
}

// Len is the number of octets that Append writes.
func (f ConnectionAssetDetails) Len() int { return frameLen(varLen(len(f.AssetCode)) + 1) }

// Append appends the frame.
func (f ConnectionAssetDetails) Append(dst []byte) []byte {
	dst = appendHead(dst, TypeConnectionAssetDetails, varLen(len(f.AssetCode))+1)
	dst = oer.AppendVarOctets(dst, f.AssetCode)
	return append(dst, f.Scale)
}

// ParseConnectionAssetDetails reads the frame's body. It cannot fail on a body
// from a parsed packet. AssetCode points into the body.
func ParseConnectionAssetDetails(body []byte) (ConnectionAssetDetails, error) {
	code, at, err := oer.VarOctets(body, 0)
	if err != nil {
		return ConnectionAssetDetails{}, err
	}
	scale, _, err := uint8At(body, at)
	if err != nil {
		return ConnectionAssetDetails{}, err
	}
	return ConnectionAssetDetails{AssetCode: code, Scale: scale}, nil
}
