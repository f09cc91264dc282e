package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const overview = `millrace receives and sends money and data over Interledger STREAM.

  millrace receive --btp-url btp+ws://NAME:TOKEN@HOST:PORT     receive over a connector
  millrace receive --btp-listen PORT                           receive from one peer directly
  millrace send --btp-url btp+ws://NAME:TOKEN@HOST:PORT --dest ADDRESS --secret BASE64 --send N

"millrace receive -h" and "millrace send -h" explain every flag.
Exit status: 0 done, 1 failed, 2 wrong usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything it touches handed in. It drains and reports when
// ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		_, _ = fmt.Fprint(stderr, overview)
		return exitUsage
	}
	name := args[0]
	var c *command
	switch name {
	case "receive":
		c = &receiveCommand
	case "send":
		c = &sendCommand
	case "-h", "--help", "help":
		_, _ = fmt.Fprint(stdout, overview)
		return exitDone
	default:
		_, _ = fmt.Fprintf(stderr, "millrace: no command %q\n\n%s", name, overview)
		return exitUsage
	}
	f, err := c.parse(args[1:])
	if err == nil {
		err = c.check(f)
	}
	var wrong *usageError
	switch {
	case errors.Is(err, errHelp):
		_, _ = fmt.Fprint(stdout, c.help())
		return exitDone
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(stderr, "millrace %s: %v\n\"millrace %s -h\" explains the flags.\n", name, err, name)
		return exitUsage
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "millrace %s: %v\n", name, err)
		return exitFailed
	}
	out := newOutput(stdout, f.on("json"))
	if err := c.run(ctx, f, out, stderr); err != nil {
		if !errors.Is(err, errReported) {
			_, _ = fmt.Fprintf(stderr, "millrace %s: %v\n", name, err)
		}
		return exitFailed
	}
	return exitDone
}

// errReported says that the command failed and has said so itself.
var errReported = errors.New("failed")
