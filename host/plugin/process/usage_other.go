//go:build !linux

package process

import "errors"

// UsageOf is known on Linux only.
func UsageOf(int) (Usage, error) { return Usage{}, errors.ErrUnsupported }
