package frame

// Type is the first octet of a frame.
type Type uint8

// The frame types of STREAM version 1 (IL-RFC 0029, "Frames"). There is none for
// padding, which is what follows the last frame.
const (
	TypeConnectionClose           Type = 0x01
	TypeConnectionNewAddress      Type = 0x02
	TypeConnectionMaxData         Type = 0x03
	TypeConnectionDataBlocked     Type = 0x04
	TypeConnectionMaxStreamID     Type = 0x05
	TypeConnectionStreamIDBlocked Type = 0x06
	TypeConnectionAssetDetails    Type = 0x07
	TypeStreamClose               Type = 0x10
	TypeStreamMoney               Type = 0x11
	TypeStreamMaxMoney            Type = 0x12
	TypeStreamMoneyBlocked        Type = 0x13
	TypeStreamData                Type = 0x14
	TypeStreamMaxData             Type = 0x15
	TypeStreamDataBlocked         Type = 0x16
	TypeStreamReceipt             Type = 0x17
)

var typeNames = [...]string{
	TypeConnectionClose:           "ConnectionClose",
	TypeConnectionNewAddress:      "ConnectionNewAddress",
	TypeConnectionMaxData:         "ConnectionMaxData",
	TypeConnectionDataBlocked:     "ConnectionDataBlocked",
	TypeConnectionMaxStreamID:     "ConnectionMaxStreamId",
	TypeConnectionStreamIDBlocked: "ConnectionStreamIdBlocked",
	TypeConnectionAssetDetails:    "ConnectionAssetDetails",
	TypeStreamClose:               "StreamClose",
	TypeStreamMoney:               "StreamMoney",
	TypeStreamMaxMoney:            "StreamMaxMoney",
	TypeStreamMoneyBlocked:        "StreamMoneyBlocked",
	TypeStreamData:                "StreamData",
	TypeStreamMaxData:             "StreamMaxData",
	TypeStreamDataBlocked:         "StreamDataBlocked",
	TypeStreamReceipt:             "StreamReceipt",
}

// String is the name of the type as IL-RFC 0029 spells it, or "unknown".
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return "unknown"
}

// ErrorCode says why a stream or a connection was closed (IL-RFC 0029, "Error
// Codes"). Other values than these must be tolerated.
type ErrorCode uint8

// The error codes of ConnectionClose and StreamClose.
const (
	NoError           ErrorCode = 1 // the normal end
	InternalError     ErrorCode = 2
	EndpointBusy      ErrorCode = 3
	FlowControlError  ErrorCode = 4
	StreamIDError     ErrorCode = 5
	StreamStateError  ErrorCode = 6
	FrameFormatError  ErrorCode = 7
	ProtocolViolation ErrorCode = 8
	ApplicationError  ErrorCode = 9
)

var codeNames = [...]string{
	NoError:           "NoError",
	InternalError:     "InternalError",
	EndpointBusy:      "EndpointBusy",
	FlowControlError:  "FlowControlError",
	StreamIDError:     "StreamIdError",
	StreamStateError:  "StreamStateError",
	FrameFormatError:  "FrameFormatError",
	ProtocolViolation: "ProtocolViolation",
	ApplicationError:  "ApplicationError",
}

// String is the name of the code as IL-RFC 0029 spells it, or "unknown".
func (c ErrorCode) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return "unknown"
}
