package ilp

// Classes of an address's octets. A segment is one or more segment characters;
// dots stand between segments (IL-RFC 0015, "Address requirements").
const (
	classSegment = 0
	classDot     = 1
	classBad     = 2
)

// addressClass gives the class of each octet.
var addressClass = func() (t [256]uint8) {
	for i := range t {
		t[i] = classBad
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~-" {
		t[c] = classSegment
	}
	t['.'] = classDot
	return t
}()

// CheckAddress returns ErrAddress unless b is a valid ILP address (IL-RFC 0015):
// at most MaxAddress octets, a known allocation scheme, then one or more
// segments. The empty address is not valid.
func CheckAddress(b []byte) error {
	if !validAddress(b) {
		return ErrAddress
	}
	return nil
}

func validAddress(b []byte) bool {
	if len(b) > MaxAddress || !validScheme(b) {
		return false
	}
	// One walk, one table look-up an octet, and no branch in it: bad collects
	// octets of no class and dots that follow a dot. The scheme's own dot is
	// met with prev = classSegment, a final dot is found at the end.
	var prev, bad uint8
	for _, c := range b {
		k := addressClass[c]
		bad |= k & (prev | classBad)
		prev = k
	}
	return bad|prev == 0
}

// validScheme reports whether b starts with an allocation scheme and its dot.
// Comparing a constant string this way is one or two integer compares.
func validScheme(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	switch b[0] {
	case 'g':
		return b[1] == '.'
	case 't':
		if len(b) < 6 || string(b[:4]) != "test" {
			return false
		}
		return b[4] == '.' || b[5] == '.' && b[4] >= '1' && b[4] <= '3'
	case 'p':
		return len(b) > 5 && string(b[:5]) == "peer." || len(b) > 8 && string(b[:8]) == "private."
	case 'e':
		return len(b) > 8 && string(b[:8]) == "example."
	case 's':
		return len(b) > 5 && string(b[:5]) == "self."
	case 'l':
		return len(b) > 6 && string(b[:6]) == "local."
	}
	return false
}
