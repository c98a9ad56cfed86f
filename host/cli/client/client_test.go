package client

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a worker says to one attempt.
type answer struct {
	status     int
	retryAfter string
	body       string
}

// worker answers each attempt with the next answer, the last one again and again.
func worker(t *testing.T, o Options, answers ...answer) (*Client, *atomic.Int32) {
	t.Helper()
	var attempts atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := answers[min(int(attempts.Add(1)), len(answers))-1]
		if a.retryAfter != "" {
			w.Header().Set("Retry-After", a.retryAfter)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	o.Server = s.URL
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, &attempts
}

const rebalance = `{"error_code":409,"message":"Cannot complete request because of a conflicting operation (e.g. worker rebalance)"}`

func TestOnlyWhatWasSurelyNotCarriedOutIsRepeated(t *testing.T) {
	get := func(c *Client) error { _, err := c.Names(context.Background()); return err }
	create := func(c *Client) error {
		_, err := c.Create(context.Background(), "x", Config{}, "")
		return err
	}
	for name, k := range map[string]struct {
		do       func(*Client) error
		answers  []answer
		attempts int
		check    func(error) bool
	}{
		"a rebalance ends":              {create, []answer{{409, "", rebalance}, {201, "", `{"name":"x"}`}}, 2, isNil},
		"a worker starts":               {get, []answer{{503, "", ""}, {200, "", `[]`}}, 2, isNil},
		"too many requests":             {get, []answer{{429, "1", ""}, {200, "", `[]`}}, 2, isNil},
		"a read timed out":              {get, []answer{{500, "1", ""}, {200, "", `[]`}}, 2, isNil},
		"a change timed out":            {create, []answer{{500, "1", `{"message":"Request timed out"}`}}, 1, func(err error) bool { return hasStatus(err, 500) }},
		"it exists":                     {create, []answer{{409, "", `{"message":"Connector x already exists"}`}}, 1, IsConflict},
		"not found":                     {get, []answer{{404, "", `{"message":"Connector x not found"}`}}, 1, IsNotFound},
		"refused":                       {create, []answer{{400, "", `{"message":"no"}`}}, 1, IsRefused},
		"an answer of something else":   {get, []answer{{200, "", "<html>"}}, 1, func(err error) bool { return err != nil }},
		"busy for longer than the time": {get, []answer{{409, "60", rebalance}}, 1, IsConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, attempts := worker(t, Options{RetryBudget: 5 * time.Second}, k.answers...)
			err := k.do(c)
			require.True(t, k.check(err), "%v", err)
			require.EqualValues(t, k.attempts, attempts.Load())
		})
	}
}

func isNil(err error) bool { return err == nil }

func TestRepeatingEndsWithTheBudgetAndTheCaller(t *testing.T) {
	t.Run("budget", func(t *testing.T) {
		c, attempts := worker(t, Options{RetryBudget: 400 * time.Millisecond}, answer{409, "", rebalance})
		_, err := c.Names(t.Context())
		require.True(t, IsConflict(err))
		require.EqualValues(t, 2, attempts.Load())
	})
	t.Run("none wanted", func(t *testing.T) {
		c, attempts := worker(t, Options{RetryBudget: -1}, answer{409, "", rebalance})
		_, err := c.Names(t.Context())
		require.True(t, IsConflict(err))
		require.EqualValues(t, 1, attempts.Load())
	})
	t.Run("caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, _ := worker(t, Options{RetryBudget: time.Hour, Waiting: func(string, time.Duration) { cancel() }}, answer{409, "1000", rebalance})
		_, err := c.Names(ctx)
		require.True(t, IsConflict(err), "the last reason is told: %v", err)
	})
}

func TestNoAnswerIsToldWithTheAddressAndWithoutThePassword(t *testing.T) {
	c, err := New(Options{Server: "http://ann:geheim@127.0.0.1:1"})
	require.NoError(t, err)
	_, err = c.Names(t.Context())
	require.True(t, IsUnreachable(err))
	require.ErrorContains(t, err, "no answer from http://127.0.0.1:1: ")
	require.NotContains(t, err.Error(), "geheim") // I-9

	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	c, err = New(Options{Server: s.URL, Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Names(t.Context())
	require.True(t, IsUnreachable(err))
	require.ErrorContains(t, err, "not within 50ms")
}

func TestAddressesThatCannotBeUsedAreRefused(t *testing.T) {
	for _, server := range []string{"ftp://x", "http://", "http://a b", "http://ann:geheim@%zz"} {
		_, err := New(Options{Server: server})
		require.Error(t, err, server)
		require.NotContains(t, err.Error(), "geheim") // I-9
	}
	c, err := New(Options{Server: "localhost:8083/"})
	require.NoError(t, err)
	require.Equal(t, "http://localhost:8083", c.Server())
}

func TestNamesAndCredentialsReachTheWorker(t *testing.T) {
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.WriteString(w, `{}`)
	}))
	defer s.Close()
	c, err := New(Options{Server: s.URL, Username: "ann", Password: "geheim"})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Connector(t.Context(), "a/b %2F?c")
	require.NoError(t, err)
	require.Equal(t, "/connectors/a%2Fb%20%252F%3Fc", got.RequestURI)
	user, password, _ := got.BasicAuth()
	require.Equal(t, "ann geheim", user+" "+password)

	c, err = New(Options{Server: s.URL, Token: "t0"})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.About(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Bearer t0", got.Header.Get("Authorization"))
}
