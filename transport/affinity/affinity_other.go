//go:build !linux

package affinity

import (
	"errors"
	"fmt"
)

// Allowed is for Linux.
func Allowed() ([]int, error) { return nil, fmt.Errorf("affinity: %w", errors.ErrUnsupported) }

// Bind is for Linux.
func Bind(int) error { return fmt.Errorf("affinity: %w", errors.ErrUnsupported) }
