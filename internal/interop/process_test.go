package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// amount is a figure as the ends print it: in quotes or not, never rounded.
type amount string

func (a *amount) UnmarshalJSON(b []byte) error {
	*a = amount(strings.Trim(string(b), `"`))
	return nil
}

// line is a JSON line of any of the processes, with what the cases look at.
type line struct {
	Event string `json:"event"`

	// ready, of the connector and of a server
	Ready              bool   `json:"ready"`
	Port               int    `json:"port"`
	DestinationAccount string `json:"destinationAccount"`
	SharedSecret       string `json:"sharedSecret"`
	SPSP               string `json:"spsp"`

	// money and close of a server's connection; result of a client
	Connection      json.RawMessage `json:"connection"` // its name: a number, or text
	Amount          amount          `json:"amount"`     // of a money event
	ConnectionTag   string          `json:"connectionTag"`
	TotalReceived   amount          `json:"totalReceived"`
	TotalSent       amount          `json:"totalSent"`
	TotalDelivered  amount          `json:"totalDelivered"`
	Bytes           int             `json:"bytes"` // of a stream that has closed
	Streams         []side          `json:"streams"`
	ServerStreams   []side          `json:"serverStreams"`
	OK              bool            `json:"ok"`
	Error           string          `json:"error"`
	ConnectionError string          `json:"connectionError"`

	// result of @interledger/pay; totals of @interledger/stream-receiver
	AmountSent      amount          `json:"amountSent"`
	AmountDelivered amount          `json:"amountDelivered"`
	Receipt         string          `json:"receipt"`
	Connections     json.RawMessage `json:"connections"`

	// last line of the connector; link events of it
	Stats   bool               `json:"stats"`
	Counts  map[string]int     `json:"counts"`
	Ledger  map[string]account `json:"ledger"`
	Account string             `json:"account"`
}

// side is one stream as one end saw it.
type side struct {
	ID                 int    `json:"id"`
	TotalReceived      amount `json:"totalReceived"`
	TotalSent          amount `json:"totalSent"`
	Bytes              int    `json:"bytes"`
	SHA256             string `json:"sha256"`
	DataSHA256         string `json:"dataSha256"`
	DataReceived       int    `json:"dataReceived"`
	DataReceivedSHA256 string `json:"dataReceivedSha256"`
	ReceiptValid       bool   `json:"receiptValid"`
	ReceiptTotal       amount `json:"receiptTotalReceived"`
	ReceiptStream      amount `json:"receiptStreamId"`
	ReceiptNonce       string `json:"receiptNonce"`
	Error              string `json:"error"`
}

// account is one account of the connector's ledger: what it sent, and what it
// received, against a fulfillment that the connector checked.
type account struct {
	InFulfilled  amount `json:"in_fulfilled"`
	OutFulfilled amount `json:"out_fulfilled"`
}

// process is one running end.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer // its end tells the connector to stop, should we die
	stderr bytes.Buffer
	ended  chan struct{} // closed after the last line
	exit   error         // of Wait; valid once ended

	mu    sync.Mutex
	lines []line
	bad   []string      // lines that are no JSON line
	more  chan struct{} // closed and replaced at every line
}

func start(name, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go p.collect(stdout)
	return p, nil
}

func (p *process) collect(stdout io.Reader) {
	for r := bufio.NewReader(stdout); ; {
		text, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			var l line
			bad := json.Unmarshal(text, &l)
			p.mu.Lock()
			if bad != nil {
				p.bad = append(p.bad, fmt.Sprintf("%s: %v: %.200s", p.name, bad, text))
			} else {
				p.lines = append(p.lines, l)
			}
			close(p.more)
			p.more = make(chan struct{})
			p.mu.Unlock()
		}
		if err != nil {
			break
		}
	}
	p.exit = p.cmd.Wait()
	close(p.ended)
}

// find returns the lines for which want is true, and a channel that is closed
// when there is a further line.
func (p *process) find(want func(line) bool) (found []line, more <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if want(l) {
			found = append(found, l)
		}
	}
	return found, p.more
}

// wait returns the first line for which want is true.
func (p *process) wait(what string, want func(line) bool, patience time.Duration) (line, error) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for ended := false; ; {
		found, more := p.find(want)
		if len(found) > 0 {
			return found[0], nil
		}
		if ended {
			return line{}, fmt.Errorf("%s ended without %q: %w", p.name, what, errors.Join(p.exit, errors.New(p.complaint())))
		}
		select {
		case <-more:
		case <-p.ended:
			ended = true // look once more: its last line came before this
		case <-deadline.C:
			return line{}, fmt.Errorf("%s: no %q within %s", p.name, what, patience)
		}
	}
}

// event matches a line by its event.
func event(name string) func(line) bool { return func(l line) bool { return l.Event == name } }

// stop asks the process to end, and ends it if it does not.
func (p *process) stop(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.stdin.Close()
	<-p.ended
}

// complaint is the end of what the process wrote to its standard error. The
// process must have ended.
func (p *process) complaint() string {
	b := bytes.TrimSpace(p.stderr.Bytes())
	return string(b[max(0, len(b)-500):])
}
