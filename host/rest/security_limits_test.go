package rest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// served runs the API on a port.
func (g *guarded) served(limits Limits) string {
	g.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(g.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(g.t, err)
	server := Serve(g.handler, ServerOptions{Version: "1", Limits: limits, Audit: g.options.Audit, Logger: slog.New(slog.DiscardHandler)}, Listener{Listener: l})
	g.t.Cleanup(func() { _ = server.http.Close(); server.serving.Wait() })
	return l.Addr().String()
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Gate = nil })
	limits := DefaultLimits
	limits.RequestsPerSecond = 5
	address := g.served(limits)
	client := &http.Client{}
	defer client.CloseIdleConnections()
	counts := map[int]int{}
	for range 40 {
		answer, err := client.Get("http://" + address + "/connectors") //nolint:noctx // a test on this machine
		require.NoError(t, err)
		counts[answer.StatusCode]++
		if answer.StatusCode == 429 {
			require.Equal(t, "1", answer.Header.Get("Retry-After"))
			require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
	require.GreaterOrEqual(t, counts[200], 10)
	require.NotZero(t, counts[429])
	require.Len(t, counts, 2)
	require.Len(t, g.lines(), 1, "one line a minute")
	require.Equal(t, "request.limit", g.last()["action"])
}

func TestBodiesThatAreTooLargeAreRefused(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Gate = nil })
	address := g.served(DefaultLimits)
	client := &http.Client{}
	defer client.CloseIdleConnections()
	big := bytes.Repeat([]byte("x"), 10<<20)
	for name, body := range map[string]io.Reader{"of known length": bytes.NewReader(big), "in chunks": io.MultiReader(bytes.NewReader(big))} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/connectors", body)
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			answer, err := client.Do(r)
			require.NoError(t, err)
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Equal(t, 413, answer.StatusCode)
			require.JSONEq(t, `{"error_code":413,"message":"The request body cannot be used: it is larger than 4194304 bytes (rest.max.request.bytes)"}`, string(text))
		})
	}
}

func TestHeadersThatAreTooLargeAreRefused(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Gate = nil })
	conn, err := net.Dial("tcp", g.served(DefaultLimits)) //nolint:noctx // a test on this machine
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	go fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, 431, answer.StatusCode)
}

// Slow clients hold a connection until a deadline; the deadlines here are shorter than in a worker.
func TestSlowClientsAreCutOff(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Gate = nil })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := Serve(g.handler, ServerOptions{Limits: DefaultLimits, Logger: slog.New(slog.DiscardHandler)})
	require.Equal(t, []time.Duration{10 * time.Second, 30 * time.Second, 120 * time.Second, 60 * time.Second},
		[]time.Duration{server.http.ReadHeaderTimeout, server.http.ReadTimeout, server.http.WriteTimeout, server.http.IdleTimeout})
	server.http.ReadHeaderTimeout, server.http.ReadTimeout = 100*time.Millisecond, 300*time.Millisecond
	server.serving.Go(func() { _ = server.http.Serve(l) })
	t.Cleanup(func() { _ = server.http.Close(); server.serving.Wait() })
	for name, c := range map[string]struct{ sent, want string }{
		"in the header": {"GET /connectors HTTP/1.1\r\nHost: x\r\n", ""},
		"in the body":   {"POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "408 Request Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // a test on this machine
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			_, err = io.WriteString(conn, c.sent)
			require.NoError(t, err)
			answer, err := io.ReadAll(conn) // ends when the server closes
			require.NoError(t, err)
			require.Contains(t, string(answer), c.want)
		})
	}
}

func TestOneClientCannotTakeAllConnections(t *testing.T) {
	g := newGuarded(t, func(o *Options) { o.Gate = nil })
	limits := DefaultLimits
	limits.ConnectionsPerClient = 3
	address := g.served(limits)
	works := func(conn net.Conn) bool {
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, _ = io.WriteString(conn, "GET /connectors HTTP/1.1\r\nHost: x\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		return err == nil && strings.Contains(line, "200 OK")
	}
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address) //nolint:noctx // a test on this machine
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	var held []net.Conn
	for range 3 {
		held = append(held, dial())
		require.True(t, works(held[len(held)-1]))
	}
	require.False(t, works(dial()), "the fourth is closed")
	require.NoError(t, held[0].Close())
	require.Eventually(t, func() bool { return works(dial()) }, 20*time.Second, 20*time.Millisecond, "a place is free again")
}

func TestWhoCountsAsOneClient(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::1]:5": "::1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[fe80::1%eth0]:1": "fe80::/64", "odd": "odd",
	} {
		require.Equal(t, want, client(address))
	}
	th := newThrottle(1, 1)
	for i := range 3 * maxClients {
		th.take(fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(th.now)+len(th.past), 2*maxClients)
}
