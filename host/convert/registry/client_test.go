package registry

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// answer is a registry that knows one schema.
func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	_, _ = io.WriteString(w, `{"schema":"\"string\""}`)
}

func client(t testing.TB, props map[string]string) *Client {
	t.Helper()
	c, err := ParseConfig(props, false)
	require.NoError(t, err)
	cl, err := Open(c)
	require.NoError(t, err)
	return cl
}

func TestCredentialsReachTheRegistryAndNoError(t *testing.T) {
	var got atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Clone())
		answer(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for name, c := range map[string]struct {
		props map[string]string
		want  string
	}{
		"in the URL": {map[string]string{"schema.registry.url": "http://me:secret@" + host}, "Basic bWU6c2VjcmV0"},
		"user info": {map[string]string{
			"schema.registry.url": server.URL, "basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "me:secret",
		}, "Basic bWU6c2VjcmV0"},
		"with the client's prefix": {map[string]string{
			"schema.registry.url": server.URL, "schema.registry.basic.auth.credentials.source": "USER_INFO",
			"schema.registry.basic.auth.user.info": "me:secret",
		}, "Basic bWU6c2VjcmV0"},
		"inherited": {map[string]string{
			"schema.registry.url": server.URL, "basic.auth.credentials.source": "SASL_INHERIT", "sasl.mechanism": "PLAIN",
			"sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="secret";`,
		}, "Basic bWU6c2VjcmV0"},
		"bearer": {map[string]string{
			"schema.registry.url": server.URL, "bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "t0ken",
		}, "Bearer t0ken"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, c.props).ByID(1)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Load().(http.Header).Get("Authorization"))
		})
	}
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refusing.Close()
	_, err := client(t, map[string]string{"schema.registry.url": "http://me:secret@" + strings.TrimPrefix(refusing.URL, "http://")}).ByID(1)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, http.StatusUnauthorized, e.Status)
	require.False(t, e.Retriable())
	require.NotContains(t, err.Error(), "secret") // I-9
}

func TestTLSIsCheckedAgainstTheTrustStore(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(answer))
	defer server.Close()
	trust := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	_, err := client(t, map[string]string{
		"schema.registry.url": server.URL, "schema.registry.ssl.truststore.type": "PEM", "schema.registry.ssl.truststore.certificates": trust,
	}).ByID(1)
	require.NoError(t, err)

	_, err = client(t, map[string]string{"schema.registry.url": server.URL, "max.retries": "0"}).ByID(1)
	require.ErrorContains(t, err, "certificate")
}

func TestTheProxyIsUsed(t *testing.T) {
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.String())
		answer(w, r)
	}))
	defer proxy.Close()
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	_, err = client(t, map[string]string{"schema.registry.url": "http://registry.invalid:8081", "proxy.host": u.Hostname(), "proxy.port": u.Port()}).ByID(7)
	require.NoError(t, err)
	require.Contains(t, asked.Load(), "http://registry.invalid:8081/schemas/ids/7")
}

func TestFailuresThatMayPassAreTriedAgainAndTheAnswerIsKept(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer(w, r)
	}))
	defer server.Close()
	c := client(t, map[string]string{"schema.registry.url": server.URL, "retries.wait.ms": "1", "retries.max.wait.ms": "2"})
	for range 5 {
		s, err := c.ByID(1)
		require.NoError(t, err)
		require.Equal(t, `"string"`, s.Text)
	}
	require.EqualValues(t, 3, calls.Load())
}

func TestATaskThatStopsIsNotHeldByARegistryThatHangs(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	for name, props := range map[string]map[string]string{
		"in a call":       {"schema.registry.url": server.URL},
		"between retries": {"schema.registry.url": "http://127.0.0.1:1", "max.retries": "1000", "retries.wait.ms": "60000", "retries.max.wait.ms": "60000"},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, props)
			ctx, cancel := context.WithCancel(context.Background())
			c.Bind(ctx)
			time.AfterFunc(20*time.Millisecond, cancel)
			began := time.Now()
			_, err := c.ByID(1)
			require.ErrorIs(t, err, javaerr.ErrStopped)
			require.Less(t, time.Since(began), 20*time.Second)
		})
	}
	require.False(t, errors.Is(&Error{}, javaerr.ErrStopped))
}

func TestSubjects(t *testing.T) {
	for class, want := range map[string]string{
		"": "t-value", "io.confluent.kafka.serializers.subject.TopicNameStrategy": "t-value",
		"io.confluent.kafka.serializers.subject.RecordNameStrategy": "n.R", "TopicRecordNameStrategy": "t-n.R",
	} {
		c, err := ParseConfig(map[string]string{"schema.registry.url": "http://x", "value.subject.name.strategy": class}, false)
		require.NoError(t, err)
		got, err := c.Subject("t", "n.R")
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseConfig(map[string]string{"schema.registry.url": "http://x", "value.subject.name.strategy": "com.acme.Mine"}, false)
	require.ErrorContains(t, err, "com.acme.Mine is not supported")
}
