package rest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/audit"
)

const (
	// drainBytes is how much of a body that is too large is read and thrown away, so
	// that the client comes to read the answer. A larger one has its connection cut.
	drainBytes = 64 << 20
	// smallBodyBytes is up to where bodies may be read without a turn; of larger ones
	// largeBodies are in memory at once. A body takes a few times its size while it is read.
	smallBodyBytes = 64 << 10
	largeBodies    = 4
	// tellInterval is how often it is written down that a client asks too often.
	tellInterval = time.Minute
)

// limit stands before everything: it counts requests per client and bounds bodies.
func limit(next http.Handler, o ServerOptions) http.Handler {
	var requests *throttle
	if n := float64(o.Limits.RequestsPerSecond); n > 0 {
		requests = newThrottle(n, 2*n)
	}
	turns := make(chan struct{}, largeBodies)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "tailrace/"+o.Version)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if requests != nil && !requests.take(client(r.RemoteAddr)) {
			tooMany(w, r, requests, o.Audit)
			return
		}
		if r.ContentLength > o.Limits.BodyBytes {
			tooLarge(w, r, o.Limits.BodyBytes)
			return
		}
		body := &boundedBody{ReadCloser: r.Body, left: o.Limits.BodyBytes, limit: o.Limits.BodyBytes, turns: turns, gone: r.Context().Done()}
		defer body.done()
		r.Body = body
		next.ServeHTTP(w, r)
	})
}

func tooMany(w http.ResponseWriter, r *http.Request, requests *throttle, log *audit.Log) {
	if requests.news(client(r.RemoteAddr), tellInterval) {
		log.Write(r.Context(), audit.Event{
			Who: "unknown", From: host(r.RemoteAddr), Action: "request.limit", Method: r.Method, Path: r.URL.EscapedPath(), Status: http.StatusTooManyRequests,
			Outcome: audit.Refused, Reason: "too many requests from this address; more of them are not written down for a minute",
		}, false)
	}
	w.Header().Set("Retry-After", "1")
	problem(w, http.StatusTooManyRequests, "Too many requests from this address; ask less often, or raise rest.max.requests.per.second")
}

func tooLarge(w http.ResponseWriter, r *http.Request, limit int64) {
	if r.Header.Get("Expect") == "" { // otherwise nothing is sent before the answer
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drainBytes))
	}
	w.Header().Set("Connection", "close")
	refuse(w, bodyTooLarge(limit))
}

func bodyTooLarge(limit int64) *bodyError {
	return &bodyError{status: http.StatusRequestEntityTooLarge, reason: fmt.Sprintf("it is larger than %d bytes (rest.max.request.bytes)", limit)}
}

// boundedBody fails when a body of unknown length goes beyond the limit, after the
// rest of it was thrown away. A large body waits for its turn, which it has until done.
type boundedBody struct {
	io.ReadCloser
	left, limit int64
	turns       chan struct{}
	mine        bool
	gone        <-chan struct{} // closed when the client is
}

// done gives the turn back.
func (b *boundedBody) done() {
	if b.mine {
		<-b.turns
		b.mine = false
	}
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, bodyTooLarge(b.limit)
	}
	if !b.mine && b.limit-b.left > smallBodyBytes {
		wait := time.NewTimer(readTimeout)
		defer wait.Stop()
		select {
		case b.turns <- struct{}{}:
			b.mine = true
		case <-b.gone:
			return 0, io.ErrUnexpectedEOF
		case <-wait.C:
			return 0, os.ErrDeadlineExceeded
		}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		_, _ = io.Copy(io.Discard, io.LimitReader(b.ReadCloser, drainBytes))
		return 0, bodyTooLarge(b.limit)
	}
	return n, err
}

// fairListener takes no more than a number of connections of one client: more are
// closed at once, so that nobody can hold all that the listener serves.
type fairListener struct {
	net.Listener
	perClient int

	mu   sync.Mutex
	open map[string]int
}

func newFairListener(l net.Listener, perClient int) *fairListener {
	return &fairListener{Listener: l, perClient: perClient, open: map[string]int{}}
}

// Accept implements net.Listener.
func (l *fairListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := client(conn.RemoteAddr().String())
		if l.enter(who) {
			return &fairConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(who) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *fairListener) enter(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who] >= l.perClient {
		return false
	}
	l.open[who]++
	return true
}

func (l *fairListener) leave(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who]--; l.open[who] == 0 {
		delete(l.open, who)
	}
}

type fairConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *fairConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
