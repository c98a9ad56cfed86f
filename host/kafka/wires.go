package kafka

import (
	"errors"
	"net"
	"sync"
)

// wires are the open connections of one client. Cutting them drops also what the client has written and the network has not
// taken yet: a connection that is only closed goes on to deliver that, for minutes if it must, and so a worker whose network
// was cut would write after its successor (I-5, I-6).
type wires struct {
	mu    sync.Mutex
	isCut bool
	open  map[*wire]struct{}
}

var errCut = errors.New("the client was cut off from its brokers")

// wire is one connection.
type wire struct {
	net.Conn
	all *wires
}

// add takes a new connection in.
func (w *wires) add(conn net.Conn) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		_ = conn.Close()
		return nil, errCut
	}
	one := &wire{conn, w}
	if w.open == nil {
		w.open = map[*wire]struct{}{}
	}
	w.open[one] = struct{}{}
	return one, nil
}

// cut ends all connections, and every one that comes later.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for one := range w.open {
		if tcp, ok := one.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // drops what is not sent
		}
		_ = one.Conn.Close()
	}
	clear(w.open)
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.all.mu.Lock()
	delete(w.all.open, w)
	w.all.mu.Unlock()
	return w.Conn.Close()
}
