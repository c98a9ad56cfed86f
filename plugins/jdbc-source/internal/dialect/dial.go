package dialect

import (
	"bufio"
	"context"
	"net"
	"time"
)

// dial bounds the time of connecting to one host, so that the next one gets its turn.
func dial(timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &readAhead{conn, bufio.NewReaderSize(conn, readAheadBytes)}, nil
	}
}

// readAheadBytes is what one call of the system may read. The driver of MySQL asks for 4 KiB at a time.
const readAheadBytes = 64 << 10

// readAhead is a connection that is read in large pieces. It is read by one goroutine.
type readAhead struct {
	net.Conn
	buffer *bufio.Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.buffer.Read(p) }
