package session

import (
	"errors"
	"slices"
	"testing"

	"github.com/millrace-ilp/millrace/codec/btp"
	"github.com/millrace-ilp/millrace/transport/ws"
)

func TestServerTakesAPingBeforeCredentialsAndLeavesWhatFollowsThem(t *testing.T) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	behind := p.ilp(btp.TypeMessage, 9, "packet")
	in := slices.Concat(p.frame(ws.Ping, []byte("hi")), p.auth(7), behind)
	s.Feed(0, in)
	if s.Advance() != Asked {
		t.Fatalf("state %d", s.State())
	}
	name, token := s.Credentials()
	if string(name) != "bob" || string(token) != "secret" {
		t.Fatalf("credentials are %q and %q", name, token)
	}
	s.Accept()
	want(t, "answers", p.said(s), `pong "hi"`, "Response 7")
	rest := slices.Clone(s.Rest())
	if !slices.Equal(rest, behind) {
		t.Fatalf("rest is %d octets of %d", len(rest), len(behind))
	}
	want(t, "packets", read(s, 0, rest), `request 9 "packet"`)
}

func TestServerReadsCredentialsOctetByOctet(t *testing.T) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	in := p.auth(7)
	for i := range in {
		if s.State() != Waiting {
			t.Fatalf("state %d after %d octets of %d", s.State(), i, len(in))
		}
		s.Feed(0, in[i:i+1])
		s.Advance()
	}
	if s.State() != Asked {
		t.Fatalf("state %d", s.State())
	}
}

func TestServerRefusesWithoutACloseCode(t *testing.T) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	s.Feed(0, p.auth(7))
	s.Advance()
	s.Refuse(WrongToken)
	want(t, "answer", p.said(s), `Error 7 F00 NotAcceptedError "invalid auth_token"`, "close 1005")
	if !errors.Is(s.Err(), ErrRefused) || s.State() != Closing {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	if s.Request(1, 10) != nil || s.Reply(1, 10) != nil {
		t.Fatal("a refused session takes packets")
	}
}

func TestServerTakesOneTokenASession(t *testing.T) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	two := btp.AppendMessage(nil, 3,
		btp.SubProtocol{Name: []byte("auth")},
		btp.SubProtocol{Name: []byte("auth_token"), Data: []byte("guess")},
		btp.SubProtocol{Name: []byte("auth_token"), Data: []byte("another")})
	s.Feed(0, p.message(two))
	if s.Advance() != Closing {
		t.Fatalf("state %d", s.State())
	}
}

func TestServerNeverAnswersAnAnswer(t *testing.T) {
	s, p := NewServer(&Config{}, 0), newPeer(t, ws.Client)
	s.Feed(0, p.message(btp.AppendResponse(nil, 3)))
	s.Advance()
	want(t, "said", p.said(s), "close 1002")
	if !errors.Is(s.Err(), ErrNotAuth) {
		t.Fatalf("error %v", s.Err())
	}
}

func TestClientSendsItsCredentialsAsTheyAre(t *testing.T) {
	s, p := NewClient(&Config{}, 0, 5, "al%40ice", "s%2Fe"), newPeer(t, ws.Server)
	var m []byte
	for _, c := range s.Out.Take(nil) {
		s.MaskOut(c.B, p.keys)
		p.r.Feed(c.B)
		_, m = p.r.Next()
	}
	packet, err := btp.Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for sub := range packet.SubProtocols() {
		got = append(got, string(sub.Name)+"="+string(sub.Data))
	}
	want(t, "sub-protocols", got, "auth=", "auth_username=al%40ice", "auth_token=s%2Fe")
}

func TestClientWaitsForTheAnswerToItsCredentials(t *testing.T) {
	s, p := NewClient(&Config{}, 0, 5, "alice", "token"), newPeer(t, ws.Server)
	p.said(s)
	s.Feed(0, slices.Concat(
		p.message(btp.AppendResponse(nil, 6)),
		p.message(btp.AppendError(nil, 4, btp.ErrorFields{Code: btp.CodeNotAccepted})),
		p.ilp(btp.TypeMessage, 8, "early"),
	))
	if s.Advance() != Waiting {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	want(t, "said", p.said(s), `Error 8 T00 UnreachableError "not authenticated yet"`)
	s.Feed(0, p.message(btp.AppendResponse(nil, 5)))
	if s.Advance() != Up {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
}

func TestClientLearnsWhyItWasRefused(t *testing.T) {
	s, p := NewClient(&Config{}, 0, 5, "alice", "wrong"), newPeer(t, ws.Server)
	p.said(s)
	s.Feed(0, p.message(btp.AppendError(nil, 5, btp.ErrorFields{
		Code: btp.CodeNotAccepted, Name: []byte(btp.NameNotAccepted), Data: []byte("invalid auth_token"),
	})))
	s.Advance()
	var refused *RefusedError
	if !errors.As(s.Err(), &refused) || refused.Data != "invalid auth_token" || refused.Code.String() != "F00" {
		t.Fatalf("error %v", s.Err())
	}
	want(t, "said", p.said(s), "close 1001")
}

func TestClientSeesAServerThatClosesInstead(t *testing.T) {
	s, p := NewClient(&Config{}, 0, 5, "alice", "token"), newPeer(t, ws.Server)
	p.said(s)
	s.Feed(0, p.frame(ws.Close, ws.AppendCloseBody(nil, ws.CodePolicy, "go away")))
	var closed *CloseError
	if s.Advance() != Closed || !errors.As(s.Err(), &closed) || closed.Code != ws.CodePolicy || closed.Reason != "go away" {
		t.Fatalf("state %d, error %v", s.State(), s.Err())
	}
	want(t, "said", p.said(s), "close 1008")
}
