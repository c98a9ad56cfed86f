package rest

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/loggers"
)

// The answers are those recorded from Kafka Connect 4.1, but that a malformed body is 400.
func TestLevelsOfLoggersAreChangedAsKafkaConnectDoes(t *testing.T) {
	h := checked(t, &knownHerder{}, Options{Loggers: loggers.New(slog.LevelInfo)})
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // "" is not compared
	}{
		{"GET", "/admin/loggers/root", "", 200, `{"level":"INFO","last_modified":null}`},
		{"GET", "/admin/loggers/com.acme.golden", "", 404, `{"error_code":404,"message":"Logger com.acme.golden not found."}`},
		{"GET", "/admin/loggers/org.apache.kafka.connect.runtime.WorkerSinkTask", "", 200, `{"level":"INFO","last_modified":null}`},
		{"POST", "/admin/loggers/root", `{"level":"INFO"}`, 405, ""},
		{"PUT", "/admin/loggers", `{}`, 405, ""},
		{"HEAD", "/admin/loggers/root", "", 200, ""},
		{"PUT", "/admin/loggers/a", `{}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/a", `{"level":null}`, 400, ""},
		{"PUT", "/admin/loggers/a", `{"lvl":"INFO","x":[1,{}]}`, 400, `{"error_code":400,"message":"Desired 'level' parameter was not specified in request."}`},
		{"PUT", "/admin/loggers/a", `{"level":"LOUD"}`, 404, `{"error_code":404,"message":"invalid log level 'LOUD'."}`},
		{"PUT", "/admin/loggers/a", `{"level":3}`, 404, `{"error_code":404,"message":"invalid log level '3'."}`},
		{"PUT", "/admin/loggers/a", `{"level":{}}`, 400, ""},
		{"PUT", "/admin/loggers/a", ``, 400, ""},
		{"PUT", "/admin/loggers/a?scope=galaxy", `{"level":"warn"}`, 200, `["a"]`},
		{"PUT", "/admin/loggers/a?scope=Cluster", `{"level":"ERROR"}`, 204, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
		if c.body != "" || c.method == http.MethodPut {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%s %s %s: %s", c.method, c.path, c.body, w.Body)
		if c.want != "" {
			require.JSONEq(t, c.want, w.Body.String())
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/admin/loggers", nil))
	var all map[string]loggers.Logger
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &all))
	require.Equal(t, "ERROR", all["a"].Level)
	require.NotNil(t, all["a"].LastModifiedMillis)
}

func TestTheAdminPartIsOnlyWhereItIsWanted(t *testing.T) {
	get := func(h http.Handler, path string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w.Code
	}
	require.Equal(t, http.StatusNotFound, get(checked(t, &knownHerder{}, Options{}), "/admin/loggers"))
	admin := Admin(Options{Loggers: loggers.New(slog.LevelInfo)})
	require.Equal(t, http.StatusOK, get(admin, "/admin/loggers"))
	require.Equal(t, http.StatusNotFound, get(admin, "/connectors"))
}

func TestCORSAndExtraHeaders(t *testing.T) {
	h := checked(t, &knownHerder{}, Options{
		CORS:    CORS{AllowOrigin: "https://a.example, https://b.example", AllowMethods: []string{"GET", "PUT"}},
		Headers: []HeaderRule{{"set", "X-A", "1"}, {"add", "Vary", "Accept"}, {"setDate", "Expires", "0"}},
	})
	call := func(method, origin, preflight string) http.Header {
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		r.Header.Set("Origin", origin)
		if preflight != "" {
			r.Header.Set("Access-Control-Request-Method", preflight)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w.Header()
	}
	const allowed = "Access-Control-Allow-Origin"
	require.Empty(t, call("GET", "https://c.example", "").Get(allowed))
	got := call("GET", "https://b.example", "")
	require.Equal(t, "https://b.example", got.Get(allowed))
	require.Equal(t, "1", got.Get("X-A"))
	require.Equal(t, []string{"Accept", "Origin"}, got.Values("Vary"))
	_, err := http.ParseTime(got.Get("Expires"))
	require.NoError(t, err)
	require.Equal(t, "GET,PUT", call("OPTIONS", "https://a.example", "PUT").Get("Access-Control-Allow-Methods"))
	require.Empty(t, call("OPTIONS", "https://a.example", "DELETE").Get("Access-Control-Allow-Methods"))
}
