package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// receiverArg makes loadgen the receiving end of another loadgen, or the path to it.
// The two speak
// over its standard input and output, one JSON object each way at a time:
// start or relay, sample, settle, profile, profiled, stop.
const receiverArg = "-internal-receiver"

// patience is how long a receiver that was told to stop may take.
const patience = 5 * time.Second

type order struct {
	Op    string `json:"op"`
	Shape shape  `json:"shape,omitzero"`
	// Of a relay: where to, and how long it takes there and back.
	Target string        `json:"target,omitempty"`
	Delay  time.Duration `json:"delay,omitempty"`
}

type report struct {
	Error  string  `json:"error,omitempty"`
	Ready  *ready  `json:"ready,omitempty"`
	Sample *sample `json:"sample,omitempty"`
	Memory uint64  `json:"memory,omitempty"`
	// Profile is a CPU profile, in the form of pprof.
	Profile []byte `json:"profile,omitempty"`
}

// serveReceiver is the whole life of the receiver's process. It ends when it is
// told to, or when its standard input does: its parent is gone then.
func serveReceiver(stdin io.Reader, stdout, stderr io.Writer) int {
	orders, reports := json.NewDecoder(bufio.NewReader(stdin)), json.NewEncoder(stdout)
	var r *receiver
	var path *relay
	var cpu profiler
	defer func() {
		if r != nil {
			r.stop()
		}
		if path != nil {
			path.stop()
		}
	}()
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return exitDone
		}
		var answer report
		switch {
		case o.Op == "start" && r == nil:
			var err error
			if r, err = startReceiver(o.Shape, stderr); err != nil {
				answer.Error = err.Error()
			} else {
				answer.Ready = &r.ready
			}
		case o.Op == "relay" && path == nil:
			runtime.GOMAXPROCS(max(relayProcs, runtime.GOMAXPROCS(0)))
			var err error
			if path, err = startRelay(o.Target, o.Delay); err != nil {
				answer.Error = err.Error()
			} else {
				answer.Ready = &ready{Addr: path.addr()}
			}
		case o.Op == "sample" && r != nil:
			s, err := r.sample()
			answer.Sample = &s
			if err != nil {
				answer.Error = err.Error()
			}
		case o.Op == "settle" && r != nil:
			answer.Memory = settle()
		case o.Op == "profile":
			if err := cpu.start(); err != nil {
				answer.Error = err.Error()
			}
		case o.Op == "profiled":
			answer.Profile = cpu.stop()
		case o.Op == "stop":
			return exitDone
		default:
			answer.Error = "unexpected order " + o.Op
		}
		if err := reports.Encode(answer); err != nil {
			return exitFailed
		}
	}
}

// what a process is, by its first order.
var what = map[string]string{"start": "receiver", "relay": "relay"}

// child is a receiver or a relay in another process.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	reports *json.Decoder
}

// startChild starts this program once more, as what the order says.
func startChild(first order, stderr io.Writer) (*child, ready, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, ready{}, err
	}
	c := &child{cmd: exec.Command(self, receiverArg)}
	c.cmd.Stderr = stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, ready{}, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, ready{}, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, ready{}, fmt.Errorf("start the process of the %s: %w", what[first.Op], err)
	}
	c.orders, c.reports = json.NewEncoder(c.in), json.NewDecoder(bufio.NewReader(out))
	answer, err := c.ask(first)
	if err == nil && answer.Ready == nil {
		err = errors.New("another process of loadgen did not say where it listens")
	}
	if err != nil {
		c.stop()
		return nil, ready{}, err
	}
	return c, *answer.Ready, nil
}

func (c *child) ask(o order) (answer report, err error) {
	if err = c.orders.Encode(o); err == nil {
		err = c.reports.Decode(&answer)
	}
	if err != nil {
		return answer, fmt.Errorf("the receiver's process is gone: %w", err)
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("receiver: %s", answer.Error)
	}
	return answer, nil
}

func (c *child) sample() (sample, error) {
	answer, err := c.ask(order{Op: "sample"})
	if err != nil {
		return sample{}, err
	}
	if answer.Sample == nil {
		return sample{}, errors.New("the receiver has no figures")
	}
	return *answer.Sample, nil
}

func (c *child) settled() (uint64, error) {
	answer, err := c.ask(order{Op: "settle"})
	return answer.Memory, err
}

func (c *child) startProfile() error {
	_, err := c.ask(order{Op: "profile"})
	return err
}

func (c *child) stopProfile() ([]byte, error) {
	answer, err := c.ask(order{Op: "profiled"})
	return answer.Profile, err
}

func (c *child) stop() {
	_ = c.orders.Encode(order{Op: "stop"})
	_ = c.in.Close()
	late := time.AfterFunc(patience, func() { _ = c.cmd.Process.Kill() })
	_ = c.cmd.Wait()
	late.Stop()
}
