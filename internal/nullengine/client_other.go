//go:build !linux

package nullengine

import (
	"context"
	"time"
)

const clientSupported = false

func runClient(context.Context, string, Config) (Result, error) { return Result{}, ErrUnsupported }

func threadID() int64 { return 0 }

func threadCPU(int64) time.Duration { return 0 }
