package rest

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, server *httptest.Server, change func(*Config)) *Client {
	t.Helper()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	cfg := Config{URLs: []*url.URL{u}, ConnectTimeout: time.Second, ReadTimeout: 5 * time.Second, Connections: 1, UserAgent: "test"}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); server.Close() })
	return c
}

func TestCredentialsAndCompressionOfARequest(t *testing.T) {
	var user, password, key, body string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		key = r.Header.Get("Authorization")
		in := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			in = unzipped
		}
		text, _ := io.ReadAll(in)
		body = r.Header.Get("Content-Type") + " " + string(text)
		_, _ = w.Write([]byte(`{"errors":false}`))
	})
	c := client(t, httptest.NewServer(handler), func(c *Config) { c.Username, c.Password, c.Gzip = "u", "p", true })
	results, err := c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.NoError(t, err)
	require.Nil(t, results)
	require.Equal(t, []string{"u", "p", "application/x-ndjson {}\n"}, []string{user, password, body})

	c = client(t, httptest.NewServer(handler), func(c *Config) { c.APIKey = "abc" })
	_, err = c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.NoError(t, err)
	require.Equal(t, "APIKey abc", key)
}

func TestTLSNeedsATrustedCertificate(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"errors":false}`)) })
	server := httptest.NewTLSServer(handler)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	c := client(t, server, func(c *Config) { c.TLS = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12} })
	_, err := c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.NoError(t, err)

	c = client(t, httptest.NewTLSServer(handler), nil)
	_, err = c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.ErrorContains(t, err, "certificate")
	require.False(t, Passes(err), "no retry makes a certificate trusted")
}

func TestWhichErrorsPass(t *testing.T) {
	for status, want := range map[int]bool{400: false, 401: false, 403: false, 404: false, 408: true, 413: false, 429: true, 500: true, 502: true, 503: true, 504: true} {
		require.Equal(t, want, Passes(&StatusError{Status: status}), status)
		require.Equal(t, status == 400 || status == 413, MustDivide(&StatusError{Status: status}), status)
	}
	require.True(t, Passes(errors.New("connection refused")))
	require.False(t, Passes(context.Canceled))
}

func TestAnErrorNamesTheCallAndTheKey(t *testing.T) {
	c := client(t, httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"type":"security_exception","reason":"missing authentication"},"status":401}`))
	})), nil)
	_, err := c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.EqualError(t, err, "POST /_bulk: the server answered 401 Unauthorized, security_exception: missing authentication; check connection.username and connection.password, or connection.api.key")
}

func TestAServerThatDoesNotAnswerIsGivenUpInTime(t *testing.T) {
	release := make(chan struct{})
	c := client(t, httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })), func(c *Config) { c.ReadTimeout = 50 * time.Millisecond })
	t.Cleanup(func() { close(release) })
	_, err := c.Bulk(t.Context(), []byte("{}\n"), 1)
	require.ErrorContains(t, err, "no answer within read.timeout.ms (50ms)")
	require.True(t, Passes(err))
}
