package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/millrace-ilp/millrace/engine"
	"github.com/millrace-ilp/millrace/engine/spsp"
	"github.com/millrace-ilp/millrace/engine/stream"
)

// spspPatience bounds how long a client may take over one query.
const spspPatience = 5 * time.Second

// serveSPSP answers SPSP queries where --spsp-port says, whatever their path, with
// credentials of the server's, and tells each. It returns the endpoint's URL.
func serveSPSP(f flags, srv *engine.Server, out *output) (endpoint string, stop func(), err error) {
	ln, err := net.Listen("tcp", listenOn(f["spsp-port"]))
	if err != nil {
		return "", nil, fmt.Errorf("--spsp-port: %w", err)
	}
	h := &spsp.Handler{
		Server:   srv,
		Receiver: func(*http.Request) (stream.CredentialOptions, error) { return credentialOptions(f), nil },
		Answered: func(r *http.Request, status int, err error) {
			line := object{"path", r.URL.RequestURI()}.maybe("accept", strings.Join(r.Header["Accept"], ", "))
			if err != nil {
				line = append(line, "status", status, "message", err.Error())
			}
			out.say("spsp-query", line...)
		},
	}
	web := &http.Server{
		Handler: h, ReadTimeout: spspPatience, WriteTimeout: spspPatience, IdleTimeout: spspPatience, MaxHeaderBytes: 16 << 10,
	}
	go func() { _ = web.Serve(ln) }() // ends with the listener
	return "http://" + ln.Addr().String() + "/", func() { _ = web.Close() }, nil
}
