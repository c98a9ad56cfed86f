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
)

// Limits of the server. The write timeout leaves the longest request time to answer.
const (
	maxBodyBytes      = 4 << 20
	maxHeaderBytes    = 32 << 10
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = requestTimeout + 30*time.Second
	idleTimeout       = 60 * time.Second
	maxConnections    = 1024 // of one listener
)

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

// Serve starts serving, in the background, until Close. version is shown in the header Server.
func Serve(handler http.Handler, version string, logger *slog.Logger, listeners ...Listener) *Server {
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "tailrace/"+version)
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		handler.ServeHTTP(w, r)
	})
	s := &Server{http: &http.Server{
		Handler: limited, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	for _, l := range listeners {
		open := netutil.LimitListener(l.Listener, maxConnections)
		if l.TLS != nil {
			open = tls.NewListener(open, l.TLS) // outermost, so that net/http sees the certificates of clients
		}
		s.serving.Go(func() {
			if err := s.http.Serve(open); !errors.Is(err, http.ErrServerClosed) {
				logger.Error("the REST API stopped serving", "address", l.Addr(), "error", err)
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
