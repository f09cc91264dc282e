package ws

import (
	"strings"
	"testing"
)

// conformance are the cases of Autobahn's test suite, by its numbers, as far as
// they make sense for an endpoint that takes binary messages only: where the
// suite sends text to look at something else, binary is sent here; where it looks at
// text itself (group 6, 7.5.1 but for close reasons), the answer is 1003. Extensions are never
// negotiated, so groups 12 and 13 come down to 3.
var conformance = []struct {
	id   string
	in   []byte
	want []string
}{
	{"1.1.1 empty text message", frames(frameOf{op: 1, fin: true}), []string{"fail 1003 text message"}},
	{"1.1.2 text message of 125 octets", frames(frameOf{op: 1, fin: true, payload: octets(125)}), []string{"fail 1003 text message"}},
	{"1.2.1 empty binary message", frames(frameOf{op: 2, fin: true}), []string{"binary 0:"}},
	{"1.2.2 binary message of 125 octets", frames(frameOf{op: 2, fin: true, payload: octets(125)}), []string{event(Binary, octets(125))}},
	{"1.2.3 binary message of 126 octets", frames(frameOf{op: 2, fin: true, payload: octets(126)}), []string{event(Binary, octets(126))}},
	{"1.2.4 binary message of 127 octets", frames(frameOf{op: 2, fin: true, payload: octets(127)}), []string{event(Binary, octets(127))}},
	{"1.2.5 binary message of 128 octets", frames(frameOf{op: 2, fin: true, payload: octets(128)}), []string{event(Binary, octets(128))}},
	{"1.2.6 binary message of 65535 octets", frames(frameOf{op: 2, fin: true, payload: octets(65535)}), []string{event(Binary, octets(65535))}},
	{"1.2.7 binary message of 65536 octets", frames(frameOf{op: 2, fin: true, payload: octets(65536)}), []string{event(Binary, octets(65536))}},

	{"2.1 ping without payload", frames(frameOf{op: 9, fin: true}), []string{"ping 0:"}},
	{"2.2 ping with text", frames(frameOf{op: 9, fin: true, payload: []byte("Hello, w")}), []string{"ping 8:48656c6c6f2c2077"}},
	{"2.3 ping with octets that are no text", frames(frameOf{op: 9, fin: true, payload: []byte{0, 0xff, 0xfe, 0xfd}}), []string{"ping 4:00fffefd"}},
	{"2.4 ping of 125 octets", frames(frameOf{op: 9, fin: true, payload: octets(125)}), []string{event(Ping, octets(125))}},
	{"2.5 ping of 126 octets", frames(frameOf{op: 9, fin: true, payload: octets(126)}), []string{"fail 1002 control frame is fragmented or over 125 octets"}},
	{"2.7 unsolicited pong", frames(frameOf{op: 10, fin: true}), []string{"pong 0:"}},
	{"2.8 unsolicited pong with payload", frames(frameOf{op: 10, fin: true, payload: octets(3)}), []string{event(Pong, octets(3))}},
	{"2.9 unsolicited pong, then ping", frames(frameOf{op: 10, fin: true}, frameOf{op: 9, fin: true}), []string{"pong 0:", "ping 0:"}},
	{"2.10 ten pings", frames(many(10, frameOf{op: 9, fin: true, payload: octets(2)})...), repeat(10, event(Ping, octets(2)))},

	{"3.1 reserved bit 3", frames(frameOf{op: 2, fin: true, rsv: 0x10}), []string{"fail 1002 reserved bits are set"}},
	{"3.2 good message, then reserved bit 2", frames(frameOf{op: 2, fin: true}, frameOf{op: 2, fin: true, rsv: 0x20}, frameOf{op: 9, fin: true}), []string{"binary 0:", "fail 1002 reserved bits are set"}},
	{"3.4 reserved bit 1", frames(frameOf{op: 2, fin: true, rsv: 0x40}), []string{"fail 1002 reserved bits are set"}},
	{"3.5 reserved bits on binary", frames(frameOf{op: 2, fin: true, rsv: 0x50, payload: octets(8)}), []string{"fail 1002 reserved bits are set"}},
	{"3.6 reserved bits on ping", frames(frameOf{op: 9, fin: true, rsv: 0x60}), []string{"fail 1002 reserved bits are set"}},
	{"3.7 reserved bits on close", frames(frameOf{op: 8, fin: true, rsv: 0x70}), []string{"fail 1002 reserved bits are set"}},

	{"4.1.1 opcode 3", frames(frameOf{op: 3, fin: true}), []string{"fail 1002 reserved opcode"}},
	{"4.1.2 opcode 4 with payload", frames(frameOf{op: 4, fin: true, payload: octets(5)}), []string{"fail 1002 reserved opcode"}},
	{"4.1.3 good message, then opcode 5", frames(frameOf{op: 2, fin: true}, frameOf{op: 5, fin: true}, frameOf{op: 9, fin: true}), []string{"binary 0:", "fail 1002 reserved opcode"}},
	{"4.1.4 good message, then opcode 6", frames(frameOf{op: 2, fin: true}, frameOf{op: 6, fin: true, payload: octets(5)}), []string{"binary 0:", "fail 1002 reserved opcode"}},
	{"4.1.5 good message, then opcode 7", frames(frameOf{op: 2, fin: true}, frameOf{op: 7, fin: true, payload: octets(5)}), []string{"binary 0:", "fail 1002 reserved opcode"}},
	{"4.2.1 opcode 11", frames(frameOf{op: 11, fin: true}), []string{"fail 1002 reserved opcode"}},
	{"4.2.2 opcode 12", frames(frameOf{op: 12, fin: true, payload: octets(5)}), []string{"fail 1002 reserved opcode"}},
	{"4.2.3 opcode 13", frames(frameOf{op: 13, fin: true}), []string{"fail 1002 reserved opcode"}},
	{"4.2.4 opcode 14", frames(frameOf{op: 14, fin: true}), []string{"fail 1002 reserved opcode"}},
	{"4.2.5 opcode 15", frames(frameOf{op: 15, fin: true}), []string{"fail 1002 reserved opcode"}},

	{"5.1 ping in two fragments", frames(frameOf{op: 9, payload: octets(1)}, frameOf{op: 0, fin: true, payload: octets(1)}), []string{"fail 1002 control frame is fragmented or over 125 octets"}},
	{"5.2 pong in two fragments", frames(frameOf{op: 10, payload: octets(1)}, frameOf{op: 0, fin: true, payload: octets(1)}), []string{"fail 1002 control frame is fragmented or over 125 octets"}},
	{"5.3 message in two fragments", frames(frameOf{op: 2, payload: []byte("ab")}, frameOf{op: 0, fin: true, payload: []byte("cd")}), []string{"binary 4:61626364"}},
	{"5.6 ping between two fragments", frames(frameOf{op: 2, payload: []byte("ab")}, frameOf{op: 9, fin: true, payload: []byte("p")}, frameOf{op: 0, fin: true, payload: []byte("cd")}), []string{"ping 1:70", "binary 4:61626364"}},
	{"5.9 continuation with FIN and no message", frames(frameOf{op: 0, fin: true, payload: octets(4)}, frameOf{op: 2, fin: true}), []string{"fail 1002 continuation without a message"}},
	{"5.12 continuation without FIN and no message", frames(frameOf{op: 0, payload: octets(4)}, frameOf{op: 2, fin: true}), []string{"fail 1002 continuation without a message"}},
	{"5.15 message in two fragments, then a stray continuation", frames(frameOf{op: 2, payload: []byte("a")}, frameOf{op: 0, fin: true, payload: []byte("b")}, frameOf{op: 0, payload: []byte("c")}, frameOf{op: 2, fin: true}), []string{"binary 2:6162", "fail 1002 continuation without a message"}},
	{"5.18 second message inside the first", frames(frameOf{op: 2, payload: []byte("a")}, frameOf{op: 2, fin: true, payload: []byte("b")}), []string{"fail 1002 message inside a fragmented message"}},
	{"5.19 five fragments, two pings", frames(frameOf{op: 2, payload: []byte("a")}, frameOf{payload: []byte("b")}, frameOf{op: 9, fin: true}, frameOf{payload: []byte("c")}, frameOf{payload: []byte("d")}, frameOf{op: 9, fin: true}, frameOf{fin: true, payload: []byte("e")}), []string{"ping 0:", "ping 0:", "binary 5:6162636465"}},

	{"6.1.1 text in three empty fragments", frames(frameOf{op: 1}, frameOf{}, frameOf{fin: true}), []string{"fail 1003 text message"}},
	{"6.1.2 binary in fragments, the outer ones empty", frames(frameOf{op: 2}, frameOf{payload: []byte("mid")}, frameOf{fin: true}), []string{"binary 3:6d6964"}},
	{"6.3.1 text that is not UTF-8", frames(frameOf{op: 1, fin: true, payload: []byte{0xce, 0xed, 0xa0}}), []string{"fail 1003 text message"}},

	{"7.1.1 message, then close", frames(frameOf{op: 2, fin: true, payload: []byte("x")}, closing(1000, "")), []string{"binary 1:78", "close 2:03e8"}},
	{"7.1.2 close twice", frames(closing(1000, ""), closing(1000, "")), []string{"close 2:03e8"}},
	{"7.1.3 ping after close", frames(closing(1000, ""), frameOf{op: 9, fin: true}), []string{"close 2:03e8"}},
	{"7.1.4 message after close", frames(closing(1000, ""), frameOf{op: 2, fin: true}), []string{"close 2:03e8"}},
	{"7.1.5 close inside a fragmented message", frames(frameOf{op: 2, payload: []byte("a")}, closing(1000, ""), frameOf{fin: true}), []string{"close 2:03e8"}},
	{"7.1.6 long message, then close, then ping", frames(frameOf{op: 2, fin: true, payload: octets(60000)}, closing(1000, ""), frameOf{op: 9, fin: true}), []string{event(Binary, octets(60000)), "close 2:03e8"}},
	{"7.3.1 close without a body", frames(frameOf{op: 8, fin: true}), []string{"close 0:"}},
	{"7.3.2 close of one octet", frames(frameOf{op: 8, fin: true, payload: octets(1)}), []string{"fail 1002 close frame with an invalid body"}},
	{"7.3.3 close with a code", frames(closing(1000, "")), []string{"close 2:03e8"}},
	{"7.3.4 close with code and reason", frames(closing(1000, "bye")), []string{"close 5:03e8627965"}},
	{"7.3.5 close with a reason of 123 octets", frames(closing(1000, strings.Repeat("x", 123))), []string{event(Close, append([]byte{3, 232}, strings.Repeat("x", 123)...))}},
	{"7.3.6 close with a reason of 124 octets", frames(closing(1000, strings.Repeat("x", 124))), []string{"fail 1002 control frame is fragmented or over 125 octets"}},
	{"7.5.1 close reason that is not UTF-8", frames(closing(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80")), []string{"fail 1007 close reason is not UTF-8"}},
	{"7.13.1 close code 5000", frames(closing(5000, "")), []string{"fail 1002 close frame with an invalid body"}},
	{"7.13.2 close code 65535", frames(closing(65535, "")), []string{"fail 1002 close frame with an invalid body"}},

	{"9.2.1 binary message of 64 KiB", frames(frameOf{op: 2, fin: true, payload: octets(64 << 10)}), []string{event(Binary, octets(64<<10))}},
	{"9.2.2 binary message of 256 KiB", frames(frameOf{op: 2, fin: true, payload: octets(256 << 10)}), []string{"fail 1009 message is too long"}},
	{"9.2.6 message of 16 MiB, announced", frames(frameOf{op: 2, fin: true, lies: true, length: 16 << 20}), []string{"fail 1009 message is too long"}},
	{"9.4.1 message of 64 KiB in fragments of 1 KiB", fragmentsOf(64<<10, 1<<10), []string{event(Binary, octets(64<<10))}},
	{"9.4.2 message of 64 KiB and 1 in fragments", fragmentsOf(64<<10+1, 2<<10), []string{"fail 1009 message is too long"}},
	{"9.4.3 message in 65 fragments", fragmentsOf(65, 1), []string{"fail 1009 message has too many fragments"}},
	{"9.8.1 thousand messages", frames(many(1000, frameOf{op: 2, fin: true, payload: []byte("x")})...), repeat(1000, "binary 1:78")},

	{"10.1.1 message of 65536 octets in fragments of 1300", fragmentsOf(65536, 1300), []string{event(Binary, octets(65536))}},

	// Not in the suite, which cannot make them.
	{"16-bit length below 126", frames(frameOf{op: 2, fin: true, form: 2, payload: octets(125)}), []string{"fail 1002 length is not in its shortest form"}},
	{"64-bit length below 65536", frames(frameOf{op: 2, fin: true, form: 8, payload: octets(125)}), []string{"fail 1002 length is not in its shortest form"}},
	{"64-bit length with the top bit", frames(frameOf{op: 2, fin: true, lies: true, length: 1 << 63}), []string{"fail 1002 length is not in its shortest form"}},
	{"bare frame", frames(frameOf{op: 2, fin: true, bare: true, payload: octets(40)}), []string{"fail 1002 frame is masked by the wrong side"}},
	{"ping with a 16-bit length", frames(frameOf{op: 9, fin: true, form: 2, payload: octets(3)}), []string{"fail 1002 control frame is fragmented or over 125 octets"}},
}

func many(n int, f frameOf) (fs []frameOf) {
	for range n {
		fs = append(fs, f)
	}
	return fs
}

func repeat(n int, s string) (all []string) {
	for range n {
		all = append(all, s)
	}
	return all
}

func closing(code uint16, reason string) frameOf {
	return frameOf{op: 8, fin: true, payload: append([]byte{byte(code >> 8), byte(code)}, reason...)}
}

func fragmentsOf(n, each int) []byte {
	whole := octets(n)
	var fs []frameOf
	for at := 0; at < n; at += each {
		f := frameOf{fin: at+each >= n, payload: whole[at:min(n, at+each)]}
		if at == 0 {
			f.op = 2
		}
		fs = append(fs, f)
	}
	return frames(fs...)
}

func TestReaderPassesAutobahnsCasesHoweverTheyAreSplit(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.id, func(t *testing.T) {
			same(t, "whole", readAll(newReader(t, Server), c.in), c.want)
			var each []int
			for i := 1; i < len(c.in); i++ {
				each = append(each, i)
			}
			same(t, "octet by octet", readAll(newReader(t, Server), c.in, each...), c.want)
			step := 1
			if len(c.in) > 4096 {
				step = len(c.in) / 61
			}
			for i := 1; i < len(c.in); i++ {
				// Every offset of short inputs; of long ones those near the ends.
				if i > 32 && i < len(c.in)-32 && i%step != 0 {
					continue
				}
				same(t, "in two", readAll(newReader(t, Server), c.in, i), c.want)
			}
		})
	}
}

// Group 7.7 and 7.9: every close code.
func TestReaderTakesOnlyCloseCodesThatMayBeOnTheWire(t *testing.T) {
	for code := 0; code <= 5000; code++ {
		good := code >= 3000 && code <= 4999 || code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006
		got := readAll(newReader(t, Server), frames(closing(uint16(code), "")))
		if (got[0] != "fail 1002 close frame with an invalid body") != good {
			t.Fatalf("code %d: %q", code, got)
		}
	}
}

func TestClientReaderWantsBareFrames(t *testing.T) {
	bare := frames(frameOf{op: 2, fin: true, bare: true, payload: octets(300)}, frameOf{op: 9, fin: true, bare: true})
	want := []string{event(Binary, octets(300)), "ping 0:"}
	for i := range bare {
		same(t, "in two", readAll(newReader(t, Client), bare, i), want)
	}
	masked := frames(frameOf{op: 2, fin: true, payload: octets(300)})
	same(t, "masked", readAll(newReader(t, Client), masked), []string{"fail 1002 frame is masked by the wrong side"})
}
