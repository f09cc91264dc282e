package ilp

import "encoding/binary"

// Timestamp is an expiry as it stands in a packet: the 17 digits
// YYYYMMDDHHMMSSmmm in UTC (IL-RFC 0027, "Prepare"). The zero value is not a
// date.
type Timestamp [17]byte

// What MakeTimestamp can write, in milliseconds since the Unix epoch: the first
// millisecond of the year 0 and the last of the year 9999.
const (
	minUnixMs = -62167219200000
	maxUnixMs = 253402300799999

	msPerDay = 86400000
	// daysToEpoch counts from 1 March of the year -400 to 1 January 1970: four
	// centuries before the earliest date that can be written, so that no
	// division below meets a negative number.
	daysToEpoch = 719468 + 146097
)

// MakeTimestamp is the timestamp of an instant in milliseconds since the Unix
// epoch. Instants before the year 0 and after the year 9999 cannot be written
// and become the first and the last that can.
func MakeTimestamp(unixMs int64) Timestamp {
	unixMs = min(max(unixMs, minUnixMs), maxUnixMs)
	ms := uint64(unixMs + daysToEpoch*msPerDay)
	days := ms / msPerDay
	inDay := uint32(ms - days*msPerDay)

	// From days to a date: centuries of 36524.25 days, then years of 365.25,
	// then months, with years that start in March so that the leap day is the
	// last (after C. Neri and L. Schneider, "Euclidean affine functions").
	n1 := 4*uint32(days) + 3
	century := n1 / 146097
	n2 := (n1 % 146097) | 3
	year := n2 / 1461
	n3 := 2141*(n2%1461/4) + 197913
	month, day := n3>>16, n3&0xffff/2141+1
	year += 100 * century
	if month > 12 {
		month -= 12
		year++
	}
	year -= 400

	second := inDay / 1000
	milli := inDay - second*1000
	minute := second / 60
	second -= minute * 60
	hour := minute / 60
	minute -= hour * 60

	var t Timestamp
	binary.LittleEndian.PutUint64(t[0:], digits(year/100, year%100, month, day))
	binary.LittleEndian.PutUint64(t[8:], digits(hour, minute, second, milli/10))
	t[16] = '0' + byte(milli%10)
	return t
}

// digits writes four numbers below 100 as eight ASCII digits, the first digit in
// the lowest octet. All four are divided by ten at once: 103/1024 is close
// enough to a tenth up to 178.
func digits(a, b, c, d uint32) uint64 {
	x := uint64(a) | uint64(b)<<16 | uint64(c)<<32 | uint64(d)<<48
	tens := x * 103 >> 10 & 0x000f000f000f000f
	return 0x3030303030303030 + (tens | (x-tens*10)<<8)
}

// UnixMs is t in milliseconds since the Unix epoch. The error is ErrTimestamp if
// t is not a date.
func (t *Timestamp) UnixMs() (unixMs int64, err error) {
	unixMs, ok := parseTimestamp((*[17]byte)(t))
	if !ok {
		return 0, ErrTimestamp
	}
	return unixMs, nil
}

// String is the 17 digits.
func (t *Timestamp) String() string { return string(t[:]) }

// ParseTimestamp reads the 17 digits of an expiry and returns milliseconds since
// the Unix epoch. The error is ErrTimestamp unless all are digits and name a
// real date of the calendar: no month 13, no 30 February, no hour 24, and no
// second 60, since leap seconds are smeared (IL-RFC 0027).
func ParseTimestamp(b []byte) (unixMs int64, err error) {
	if len(b) != 17 {
		return 0, ErrTimestamp
	}
	unixMs, ok := parseTimestamp((*[17]byte)(b))
	if !ok {
		return 0, ErrTimestamp
	}
	return unixMs, nil
}

// daysBefore counts the days of a year of 365 before each month; daysIn is the
// length of each month, February's without leap day. Index 0 and 13 up are never
// valid months, and their length of 0 says so.
var (
	daysBefore = [16]uint16{0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}
	daysIn     = [16]uint8{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
)

func parseTimestamp(b *[17]byte) (unixMs int64, ok bool) {
	date := binary.LittleEndian.Uint64(b[0:])
	clock := binary.LittleEndian.Uint64(b[8:])
	last := b[16] - '0'
	if !eightDigits(date) || !eightDigits(clock) || last > 9 {
		return 0, false
	}
	date, clock = pairs(date), pairs(clock)
	year := uint(date&0xff)*100 + uint(date>>16&0xff)
	month, day := uint(date>>32&0xff), uint(date>>48&0xff)
	hour, minute := uint(clock&0xff), uint(clock>>16&0xff)
	second, milli := uint(clock>>32&0xff), uint(clock>>48&0xff)*10+uint(last)

	if month > 12 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	// A year is leap if 4 divides it, and 16 if 25 does (25·16 is 400).
	leap := year%4 == 0 && (year%25 != 0 || year%16 == 0)
	length := uint(daysIn[month])
	// The leap days before this one: those of all years before, and this year's
	// from March on. Year 0 is leap, so y is counted from the year -400.
	y := year + 399
	days := year*365 + y/4 - y/100 + y/400 - 96 + uint(daysBefore[month]) + day - 1
	if leap {
		if month == 2 {
			length = 29
		}
		if month > 2 {
			days++
		}
	}
	if day-1 >= length {
		return 0, false
	}
	return minUnixMs + int64(days)*msPerDay + int64((hour*60+minute)*60+second)*1000 + int64(milli), true
}

// ExpiryMemo remembers the expiry that was read last: prepares that come together mostly
// expire in the same millisecond. The zero ExpiryMemo remembers none.
type ExpiryMemo struct {
	date, clock uint64 // its digits, or zero
	last        byte
	unixMs      int64
}

// parse is parseTimestamp.
func (m *ExpiryMemo) parse(b *[17]byte) (unixMs int64, ok bool) {
	date, clock := binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:])
	if date == m.date && clock == m.clock && b[16] == m.last && date != 0 {
		return m.unixMs, true
	}
	if unixMs, ok = parseTimestamp(b); ok {
		*m = ExpiryMemo{date, clock, b[16], unixMs}
	}
	return unixMs, ok
}

// eightDigits reports whether all octets of x are ASCII digits: the high half is
// 3, and stays 3 when 6 is added.
func eightDigits(x uint64) bool {
	return (x&0xf0f0f0f0f0f0f0f0 | (x+0x0606060606060606)&0xf0f0f0f0f0f0f0f0>>4) == 0x3333333333333333
}

// pairs turns eight ASCII digits into four numbers below 100, in octets 0, 2, 4
// and 6.
func pairs(x uint64) uint64 {
	x &= 0x0f0f0f0f0f0f0f0f
	return x*10 + x>>8
}
