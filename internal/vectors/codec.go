package vectors

// OER is oer.json.
type OER struct {
	VarOctetEncode []struct {
		Length int
		Prefix Hex
	}
	VarUIntEncode []struct {
		Value Uint
		Hex   Hex
	}
	FixedEncode []struct {
		Bits  int
		Value Uint
		Hex   Hex
	}
	VarOctetDecode []struct {
		Name          string
		Hex           Hex
		Accepted      bool
		ContentLength int
		Consumed      int
	}
	VarUIntDecode []struct {
		Name     string
		Hex      Hex
		AsLong   OERInteger
		AsNumber OERInteger
	}
}

// OERInteger is what a reader of integers makes of some octets.
type OERInteger struct {
	Accepted bool
	Value    Uint
}

// ILPPackets is ilp_packets.json.
type ILPPackets struct {
	Prepares []struct {
		Name   string
		Hex    Hex
		Fields ILPFields
	}
	Fulfills []struct {
		Name   string
		Hex    Hex
		Fields ILPFields
	}
	Rejects []struct {
		Name   string
		Hex    Hex
		Fields ILPFields
	}
	Decode    []ILPOddity
	Addresses []struct {
		Address string
		Length  int
		Rule    string
		Valid   bool
	}
}

// ILPOddity is an odd or broken packet, and what each reference version makes of
// it.
type ILPOddity struct {
	Name      string
	Hex       Hex // absent from long packets: see Octets
	Length    int
	PrefixHex Hex
	Results   map[string]struct {
		Accepted bool
		Fields   ILPFields
	}
}

// Octets is the packet. Of a long one the file has only the length and the first
// octets; the others are zero.
func (o ILPOddity) Octets() []byte {
	if o.PrefixHex == nil {
		return o.Hex
	}
	return append(o.PrefixHex, make([]byte, o.Length-len(o.PrefixHex))...)
}

// ILPFields are the fields of an ILP packet of any type. Type is set in the list
// of odd packets only.
type ILPFields struct {
	Type               uint8
	Amount             Uint
	ExpiresAt          string // as in 2017-12-23T01:21:40.549Z
	ExecutionCondition Hex
	Destination        string
	Fulfillment        Hex
	Code               string
	TriggeredBy        string
	Message            string
	Data               Octets
}

// StreamPackets is stream_packets.json.
type StreamPackets struct {
	Encode []struct {
		Name                   string
		Hex                    Hex
		Packet                 StreamPacket
		ByteLengthWithEnvelope int
	}
	Decode []struct {
		Name     string
		Hex      Hex
		Accepted bool
		Packet   StreamPacket
	}
}

// StreamPacket is a STREAM packet in plaintext.
type StreamPacket struct {
	Sequence      Uint
	ILPPacketType uint8
	PrepareAmount Uint
	Frames        []StreamFrame
}

// StreamFrame has the fields of all frames; Type says which of them count.
type StreamFrame struct {
	Type             uint8
	Name             string
	ErrorCode        uint8
	ErrorMessage     string
	SourceAccount    string
	MaxOffset        Uint
	MaxStreamID      Uint `json:"maxStreamId"`
	SourceAssetCode  string
	SourceAssetScale uint8
	StreamID         Uint `json:"streamId"`
	Shares           Uint
	ReceiveMax       Uint
	TotalReceived    Uint
	SendMax          Uint
	TotalSent        Uint
	Offset           Uint
	Data             Hex
	Receipt          Hex
}

// BTP is btp.json.
type BTP struct {
	Encode []struct {
		Name   string
		Hex    Hex
		Packet BTPPacket
	}
	Decode []struct {
		Name     string
		Hex      Hex
		Accepted bool
		Packet   BTPPacket
	}
}

// BTPPacket is a BTP packet of any type.
type BTPPacket struct {
	Type      uint8
	RequestID uint32 `json:"requestId"`
	Data      struct {
		Amount       Uint
		Code         string
		Name         string
		TriggeredAt  string // as in 2017-08-28T18:32:00.123Z, or "Invalid Date"
		Data         string
		ProtocolData []struct {
			ProtocolName string
			ContentType  uint8
			Data         Octets
		}
	}
}

// ILDCP is ildcp.json.
type ILDCP struct {
	Condition Hex
	Request   struct {
		ExpiresAt string
		Hex       Hex
	}
	Responses []struct {
		ILDCPConfig
		Hex Hex
	}
	DecodeResponse []struct {
		Name     string
		Hex      Hex
		Accepted bool
		Value    ILDCPConfig
	}
	DecodeRequest []struct {
		Name     string
		Hex      Hex
		Accepted bool
	}
}

// ILDCPConfig is what a response tells.
type ILDCPConfig struct {
	ClientAddress string
	AssetScale    uint8
	AssetCode     string
}

// CCP is ccp.json: the routing protocol of connectors.
type CCP struct {
	ControlDestination string
	UpdateDestination  string
	Condition          Hex
	Response           Hex
	Control            []struct{ Payload Hex }
	Update             []struct{ Payload Hex }
}

// Receipts is receipts.json.
type Receipts struct {
	Valid []struct {
		Nonce         Hex
		Secret        Hex
		StreamID      Uint `json:"streamId"`
		TotalReceived Uint
		Receipt       Hex
		Base64        string
	}
	RejectedCreate []struct{ Name string }
	Verify         []struct {
		Name    string
		Receipt Hex
		Verify  string // "ok", or what is wrong
		Decode  string
	}
}
