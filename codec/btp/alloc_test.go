package btp

import "testing"

var sink int

func TestMoneyPathAllocatesNothing(t *testing.T) {
	packet := make([]byte, 300)
	message := AppendMessage(nil, 7, SubProtocol{Name: []byte("ilp"), Data: packet})
	buf := make([]byte, ILPLen(len(packet)))
	name := []byte("ilp")
	for what, f := range map[string]func(){
		"ParseILP": func() {
			_, id, ilp, _ := ParseILP(message)
			sink += int(id) + len(ilp)
		},
		"Parse": func() {
			p, _ := Parse(message)
			ilp, _ := p.ILP()
			for s := range p.SubProtocols() {
				sink += len(s.Data)
			}
			sink += len(ilp)
		},
		"refusal": func() {
			_, _ = Parse(message[:20])
			_, _, _, _ = ParseILP(message[:20])
		},
		"PutILP": func() { sink += len(PutILP(buf, TypeResponse, 7, len(packet))) },
		"AppendResponse": func() {
			sink += len(AppendResponse(buf[:0], 7, SubProtocol{Name: name, Data: packet}))
		},
		"AppendError": func() {
			sink += len(AppendError(buf[:0], 7, ErrorFields{Code: CodeNotAccepted, Name: name, TriggeredAtUnixMs: 1893456000123}))
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
