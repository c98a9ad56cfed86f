package process

import "time"

// Usage is what one process uses, without its children.
type Usage struct {
	ResidentBytes int64
	CPU           time.Duration // since it started
}
