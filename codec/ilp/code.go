package ilp

// Code is the three characters of a Reject's error code (IL-RFC 0027, "Error
// codes").
type Code [3]byte

// The error codes of IL-RFC 0027. None may be changed.
var (
	F00 = Code{'F', '0', '0'} // Bad Request
	F01 = Code{'F', '0', '1'} // Invalid Packet
	F02 = Code{'F', '0', '2'} // Unreachable
	F03 = Code{'F', '0', '3'} // Invalid Amount
	F04 = Code{'F', '0', '4'} // Insufficient Destination Amount
	F05 = Code{'F', '0', '5'} // Wrong Condition
	F06 = Code{'F', '0', '6'} // Unexpected Payment
	F07 = Code{'F', '0', '7'} // Cannot Receive
	F08 = Code{'F', '0', '8'} // Amount Too Large
	F99 = Code{'F', '9', '9'} // Application Error

	T00 = Code{'T', '0', '0'} // Internal Error
	T01 = Code{'T', '0', '1'} // Peer Unreachable
	T02 = Code{'T', '0', '2'} // Peer Busy
	T03 = Code{'T', '0', '3'} // Connector Busy
	T04 = Code{'T', '0', '4'} // Insufficient Liquidity
	T05 = Code{'T', '0', '5'} // Rate Limited
	T99 = Code{'T', '9', '9'} // Application Error

	R00 = Code{'R', '0', '0'} // Transfer Timed Out
	R01 = Code{'R', '0', '1'} // Insufficient Source Amount
	R02 = Code{'R', '0', '2'} // Insufficient Timeout
	R99 = Code{'R', '9', '9'} // Application Error
)

// ParseCode reads a code from text or octets. The error is ErrCode unless there
// are three characters: one of F, T and R, and two digits.
func ParseCode[T string | []byte](s T) (Code, error) {
	if len(s) != 3 {
		return Code{}, ErrCode
	}
	c := Code{s[0], s[1], s[2]}
	if c.Class() == 0 || c[1]-'0' > 9 || c[2]-'0' > 9 {
		return Code{}, ErrCode
	}
	return c, nil
}

// Class is the first letter of c: 'F' final, 'T' temporary, 'R' relative. It is
// 0 for anything else, which is to be treated as final. Unknown codes of a known
// class must be treated as their class (IL-RFC 0027).
func (c Code) Class() byte {
	switch c[0] {
	case 'F', 'T', 'R':
		return c[0]
	}
	return 0
}

// String is the three characters of c. What is not a printable ASCII character
// is shown as a question mark.
func (c Code) String() string {
	for i, ch := range c {
		if ch < ' ' || ch > '~' {
			c[i] = '?'
		}
	}
	return string(c[:])
}

// Name is what IL-RFC 0027 calls c, for people; empty for unknown codes.
func (c Code) Name() string {
	switch c {
	case F00:
		return "Bad Request"
	case F01:
		return "Invalid Packet"
	case F02:
		return "Unreachable"
	case F03:
		return "Invalid Amount"
	case F04:
		return "Insufficient Destination Amount"
	case F05:
		return "Wrong Condition"
	case F06:
		return "Unexpected Payment"
	case F07:
		return "Cannot Receive"
	case F08:
		return "Amount Too Large"
	case F99, T99, R99:
		return "Application Error"
	case T00:
		return "Internal Error"
	case T01:
		return "Peer Unreachable"
	case T02:
		return "Peer Busy"
	case T03:
		return "Connector Busy"
	case T04:
		return "Insufficient Liquidity"
	case T05:
		return "Rate Limited"
	case R00:
		return "Transfer Timed Out"
	case R01:
		return "Insufficient Source Amount"
	case R02:
		return "Insufficient Timeout"
	}
	return ""
}
