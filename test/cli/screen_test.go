package cli

import (
	"bytes"
	"sync"
)

// screen is a buffer that a process writes while the test reads.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *screen) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *screen) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
