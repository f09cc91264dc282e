package ilp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

const layout = "20060102150405.000"

// timeText is a timestamp by way of package time.
func timeText(unixMs int64) string {
	s := time.UnixMilli(unixMs).UTC().Format(layout)
	return s[:14] + s[15:]
}

func TestTimestampsAgreeWithPackageTimeOnEveryDay(t *testing.T) {
	for day := int64(minUnixMs); day <= maxUnixMs; day += msPerDay {
		ms := day + (day/msPerDay*7919%msPerDay+msPerDay)%msPerDay
		stamp := MakeTimestamp(ms)
		if want := timeText(ms); stamp.String() != want {
			t.Fatalf("MakeTimestamp(%d) = %s, want %s", ms, &stamp, want)
		}
		if got, err := ParseTimestamp(stamp[:]); got != ms || err != nil {
			t.Fatalf("ParseTimestamp(%s) = %d, %v; want %d", &stamp, got, err, ms)
		}
	}
}

func TestTimestampsAgreeWithPackageTimeAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		ms := minUnixMs + random.Int64N(maxUnixMs-minUnixMs+1)
		stamp := MakeTimestamp(ms)
		if want := timeText(ms); stamp.String() != want {
			t.Fatalf("MakeTimestamp(%d) = %s, want %s", ms, &stamp, want)
		}
		if got, err := stamp.UnixMs(); got != ms || err != nil {
			t.Fatalf("%s.UnixMs() = %d, %v; want %d", &stamp, got, err, ms)
		}
	}
}

func TestEveryDigitPairIsWritten(t *testing.T) {
	for n := range uint32(100) {
		got := digits(n, 99-n, n, 99-n)
		for i := range 8 {
			d := n
			if i%4 >= 2 {
				d = 99 - n
			}
			want := '0' + byte(d/10)
			if i%2 == 1 {
				want = '0' + byte(d%10)
			}
			if c := byte(got >> (8 * i)); c != want {
				t.Fatalf("digits of %d: octet %d is %q, want %q", n, i, c, want)
			}
		}
	}
}

func TestTimestampsOutsideFourDigitYearsAreCut(t *testing.T) {
	for _, c := range []struct {
		ms   int64
		want string
	}{
		{math.MinInt64, "00000101000000000"},
		{minUnixMs - 1, "00000101000000000"},
		{minUnixMs, "00000101000000000"},
		{maxUnixMs, "99991231235959999"},
		{maxUnixMs + 1, "99991231235959999"},
		{math.MaxInt64, "99991231235959999"},
		{0, "19700101000000000"},
		{-1, "19691231235959999"},
	} {
		if got := MakeTimestamp(c.ms); got.String() != c.want {
			t.Errorf("MakeTimestamp(%d) = %s, want %s", c.ms, &got, c.want)
		}
	}
}

func TestTimestampsMustBeRealDates(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"20240229235959999", true},
		{"20230229000000000", false}, // 2023 is no leap year
		{"19000229000000000", false}, // nor is 1900
		{"20000229000000000", true},  // but 2000 is
		{"00000229000000000", true},
		{"20230431000000000", false},
		{"20230430000000000", true},
		{"20231301000000000", false},
		{"20230001000000000", false},
		{"20230100000000000", false},
		{"20230132000000000", false},
		{"20239901000000000", false},
		{"20230199000000000", false},
		{"20230101240000000", false},
		{"20230101006000000", false},
		{"20230101000060000", false}, // leap seconds are smeared
		{"2023010100000000", false},
		{"202301010000000000", false},
		{"", false},
		{"2023010100000000 ", false},
		{"2023010100000000:", false},
		{"+0230101000000000", false},
		{"2023010100000000/", false},
	} {
		_, err := ParseTimestamp([]byte(c.text))
		if (err == nil) != c.ok || err != nil && err != ErrTimestamp {
			t.Errorf("ParseTimestamp(%q): %v", c.text, err)
		}
	}
	var zero Timestamp
	if _, err := zero.UnixMs(); err != ErrTimestamp {
		t.Errorf("the zero Timestamp: %v", err)
	}
}

func TestEveryOctetButADigitIsRefusedEverywhere(t *testing.T) {
	good := MakeTimestamp(1893456000123)
	for i := range good {
		for c := range 256 {
			stamp := good
			stamp[i] = byte(c)
			_, err := stamp.UnixMs()
			_, timeErr := time.Parse(layout, string(stamp[:14])+"."+string(stamp[14:]))
			digit := c >= '0' && c <= '9'
			if (err == nil) != (digit && timeErr == nil) {
				t.Errorf("%q: %v, package time says %v", stamp, err, timeErr)
			}
		}
	}
}

// TestMemoOfExpiriesReadsLikeParseTimestamp: whatever was read before, real dates and
// others.
func TestMemoOfExpiriesReadsLikeParseTimestamp(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var memo ExpiryMemo
	var b [17]byte // no date, and what a memo that remembers nothing looks like
	same := 0
	for i := range 100_000 {
		switch random.IntN(5) {
		case 0: // the same again
			same++
		case 1:
			b = MakeTimestamp(minUnixMs + random.Int64N(maxUnixMs-minUnixMs+1))
		case 2: // an instant not far from the last
			b[9+random.IntN(8)] = '0' + byte(random.IntN(10))
		case 3:
			b[random.IntN(17)] = byte(random.IntN(256))
		case 4:
			b = [17]byte{}
		}
		ms, err := ParseTimestamp(b[:])
		if got, ok := memo.parse(&b); got != ms || ok != (err == nil) {
			t.Fatalf("%d, %q: %d %v, want %d %v", i, b, got, ok, ms, err)
		}
	}
	if same == 0 {
		t.Fatal("nothing came twice")
	}
}
