package ws

import (
	"bytes"
	"io"
	"slices"
	"testing"

	reference "github.com/gobwas/ws"
)

// FuzzReaderAgreesWithGobwas feeds the same octets to a Reader, in pieces, and to
// gobwas/ws, frame by frame, and compares what comes out, whether and with which
// code it ends.
func FuzzReaderAgreesWithGobwas(f *testing.F) {
	for i, c := range conformance {
		if len(c.in) < 5000 {
			f.Add(c.in, uint16(i*7), uint16(i*13), i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cut1, cut2 uint16, server bool) {
		role := Client
		if server {
			role = Server
		}
		cuts := []int{int(cut1) % (len(in) + 1), int(cut2) % (len(in) + 1)}
		slices.Sort(cuts)
		got := readAll(newReader(t, role), in, cuts...)
		want := readReference(in, server)
		// gobwas looks at a whole header, we at its octets as they come, so the
		// two may find different faults in one frame, and we may be sooner.
		if fault := failure(got); fault != failure(want) && (fault == "" || !torn(in)) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
		if !slices.Equal(messages(got), messages(want)) {
			t.Fatalf("got %q\nwant %q", got, want)
		}
	})
}

func failure(events []string) string {
	if n := len(events); n > 0 && events[n-1][:4] == "fail" {
		return "fail"
	}
	return ""
}

func messages(events []string) []string {
	if failure(events) != "" {
		return events[:len(events)-1]
	}
	return events
}

// torn reports whether in ends inside a frame, which gobwas cannot judge.
func torn(in []byte) bool {
	r := bytes.NewReader(in)
	for {
		if r.Len() == 0 {
			return false
		}
		h, err := reference.ReadHeader(r)
		if err != nil || h.Length > int64(r.Len()) {
			return true
		}
		_, _ = r.Seek(h.Length, io.SeekCurrent)
	}
}

// readReference is a reader made of gobwas's parts and our limits.
func readReference(in []byte, server bool) (got []string) {
	state := reference.StateClientSide
	if server {
		state = reference.StateServerSide
	}
	r := bytes.NewReader(in)
	var message []byte
	fragments := 0
	for {
		before := r.Len()
		h, err := reference.ReadHeader(r)
		if err == reference.ErrHeaderLengthMSB {
			return append(got, "fail")
		}
		if err != nil {
			return got
		}
		size := before - r.Len()
		if reference.CheckHeader(h, state) != nil || h.OpCode == reference.OpText {
			return append(got, "fail")
		}
		if size != HeaderLen(int(min(h.Length, 1<<20)), map[bool]Role{true: Client, false: Server}[server]) {
			return append(got, "fail") // not the shortest length
		}
		if !h.OpCode.IsControl() && int(min(h.Length, 1<<20))+len(message) > DefaultMaxMessage {
			return append(got, "fail")
		}
		if h.Length > int64(r.Len()) {
			return got
		}
		payload := make([]byte, h.Length)
		_, _ = io.ReadFull(r, payload)
		if h.Masked {
			reference.Cipher(payload, h.Mask, 0)
		}
		switch {
		case h.OpCode == reference.OpClose:
			if len(payload) == 1 {
				return append(got, "fail")
			}
			if len(payload) > 1 {
				code, reason := reference.ParseCloseFrameData(payload)
				// gobwas does not know the codes registered since, 1012 to 1014.
				if reference.CheckCloseFrameData(code, reason) != nil && !(code >= 1012 && code <= 1014 && reference.CheckCloseFrameData(1000, reason) == nil) {
					return append(got, "fail")
				}
				if code < 1000 || code >= 5000 {
					return append(got, "fail")
				}
			}
			return append(got, event(Close, payload))
		case h.OpCode.IsControl():
			got = append(got, event(Op(h.OpCode), payload))
			continue
		case h.OpCode == reference.OpBinary && h.Fin:
			got = append(got, event(Binary, payload))
			continue
		}
		if fragments++; fragments > MaxFragments {
			return append(got, "fail")
		}
		state = state.Set(reference.StateFragmented)
		message = append(message, payload...)
		if h.Fin {
			got = append(got, event(Binary, message))
			message, fragments = nil, 0
			state = state.Clear(reference.StateFragmented)
		}
	}
}
