package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tailrace/tailrace/host/audit"
)

// Limits in time. The write timeout leaves the longest request time to answer.
const (
	maxHeaderBytes    = 32 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = requestTimeout + 30*time.Second
	idleTimeout       = 60 * time.Second
)

// Limits bound what clients may ask. See [DefaultLimits].
type Limits struct {
	BodyBytes            int64
	Connections          int // of one listener
	ConnectionsPerClient int // of one listener
	RequestsPerSecond    int // of one client; 0 means no limit
}

// DefaultLimits are those of a worker whose settings say nothing.
var DefaultLimits = Limits{BodyBytes: 4 << 20, Connections: 1024, ConnectionsPerClient: 512, RequestsPerSecond: 1000}

// ServerOptions say how requests are served.
type ServerOptions struct {
	Version string // shown in the header Server
	Limits  Limits
	Audit   *audit.Log // may be nil
	Logger  *slog.Logger
}

// Server serves a handler on listeners. Make one with [Serve].
type Server struct {
	http    *http.Server
	serving sync.WaitGroup
}

// Listener is an open port. With TLS it speaks https.
type Listener struct {
	net.Listener
	TLS *tls.Config // nil for http
}

// Serve starts serving, in the background, until Close.
func Serve(handler http.Handler, o ServerOptions, listeners ...Listener) *Server {
	s := &Server{http: &http.Server{
		Handler: limit(handler, o), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}}
	for _, l := range listeners {
		open := netutil.LimitListener(newFairListener(l.Listener, o.Limits.ConnectionsPerClient), o.Limits.Connections)
		if l.TLS != nil {
			open = tls.NewListener(open, l.TLS) // outermost, so that net/http sees the certificates of clients
		}
		s.serving.Go(func() {
			if err := s.http.Serve(open); !errors.Is(err, http.ErrServerClosed) {
				o.Logger.Error("the REST API stopped serving", "address", l.Addr(), "error", err)
			}
		})
	}
	return s
}

// Close lets requests that are under way finish, at most until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	s.serving.Wait()
	return err
}
