package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Health says whether a client can talk to its brokers at the moment.
type Health struct {
	// UnreachableSince is zero while requests succeed. Otherwise it is the time
	// of the first failure since the last success.
	UnreachableSince time.Time
	// Broker is the host:port of the last failure.
	Broker string
	// Err is the last failure.
	Err error
}

// OK reports whether the last contact with a broker succeeded.
func (h Health) OK() bool { return h.UnreachableSince.IsZero() }

// String is a sentence for a task's status.
func (h Health) String() string {
	if h.OK() {
		return "ok"
	}
	return fmt.Sprintf("broker %s unreachable since %s: %v; records wait and are sent when it is back",
		h.Broker, h.UnreachableSince.UTC().Format(time.RFC3339), h.Err)
}

// health watches the connections of one client. The library calls the hooks from
// its own goroutines, once per request or connection.
type health struct {
	failing atomic.Bool // fast path: nothing to clear

	mu     sync.Mutex
	state  Health
	closed bool
}

func (h *health) snapshot() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state
}

// close stops the watch, so that connections cut by our own Close are no failures.
func (h *health) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// OnBrokerConnect implements the client library's hook.
func (h *health) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	h.note(meta, err)
}

// OnBrokerE2E implements the client library's hook.
func (h *health) OnBrokerE2E(meta kgo.BrokerMetadata, _ int16, e2e kgo.BrokerE2E) {
	h.note(meta, e2e.Err())
}

func (h *health) note(meta kgo.BrokerMetadata, err error) {
	if err == nil {
		if !h.failing.Load() {
			return
		}
		h.mu.Lock()
		h.state = Health{}
		h.failing.Store(false)
		h.mu.Unlock()
		return
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	if h.state.OK() {
		h.state.UnreachableSince = time.Now()
	}
	h.state.Broker = net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	h.state.Err = err
	h.failing.Store(true)
}
