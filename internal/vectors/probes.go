package vectors

import (
	"encoding/hex"
	"encoding/json"
	"strings"
)

// ServerProbes is stream_server_probes.json: single hand-made prepares and what
// the reference server answers.
type ServerProbes struct {
	Probes []ServerProbe
}

// ServerProbe is some prepares for one server, in order.
type ServerProbe struct {
	Name   string
	Steps  []ServerStep
	Events []struct {
		Step   int
		Event  string // such as "stream 1: money"
		Detail any
	}
}

// ServerStep is one prepare and its answer.
type ServerStep struct {
	Request struct {
		Destination string
		Amount      *Uint
		Fulfillable bool
		Plaintext   Text
		Hex         Hex // the whole packet, of one that is no prepare
	}
	Reply struct {
		Type               uint8
		FulfillmentCorrect bool
		Code               string
		TriggeredBy        string
		Message            string
		Stream             *StreamReply
	}
	ServerSentPackets []string
}

// StreamReply is the STREAM packet of an answer.
type StreamReply struct {
	StreamPacket
	EncryptedLength int
}

// Sessions is stream_sessions.json: the reference's client and server with each
// other, packet by packet.
type Sessions struct {
	Sessions []Session
}

// Session is one connection.
type Session struct {
	Name         string
	SharedSecret Hex
	Packets      []SessionPacket
}

// SessionPacket is one prepare and its answer.
type SessionPacket struct {
	N         int
	Direction string // "client to server" or "server to client"
	Prepare   struct {
		AmountSent, AmountArrived Uint
		Destination               string
		Condition, Data           Hex
	}
	Stream      StreamPacket
	Fulfillable bool
	Reply       struct {
		Type        uint8
		Fulfillment Hex
		Code        string
		TriggeredBy string
		Data        Hex
		Stream      *StreamPacket
	}
}

// ClientProbes is stream_client_probes.json: what the reference client does
// after each kind of answer.
type ClientProbes struct {
	Probes []ClientProbe
}

// ClientProbe is one client and what became of it.
type ClientProbe struct {
	Name             string
	CreateConnection string // why there is no connection
	ProbePackets     int
	Sent             []struct { // after the probes, at most 25 in all
		Amount        Uint
		Fulfillable   bool
		Sequence      Uint
		PrepareAmount Uint
		Frames        []ProbeFrame
	}
	Events []struct {
		AfterPackets int
		Event        string
		Detail       any
	}
	Totals struct {
		TotalSent, TotalDelivered Uint
		LastPacketExchangeRate    string
	}
}

// ProbeFrame is a frame of a client's packet, its data only by length.
type ProbeFrame struct {
	Type     uint8
	Name     string
	StreamID Uint `json:"streamId"`
	Offset   Uint
	Data     Octets
}

// Text is a plaintext in hexadecimal digits, of which a long one stands there in
// part only.
type Text struct {
	Octets []byte
	Cut    bool
}

// UnmarshalJSON reads digits, maybe followed by "... (N bytes)".
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	s, _, t.Cut = strings.Cut(s, "...")
	v, err := hex.DecodeString(s)
	t.Octets = v
	return err
}
