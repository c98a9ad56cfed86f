package rest

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/observe"
	"github.com/tailrace/tailrace/host/rest/openapi"
)

// Every route is in the document, and the document names no other.
func TestTheDocumentAndTheRoutesAreTheSame(t *testing.T) {
	var document struct {
		Paths map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(openapi.JSON(), &document))
	described := map[string]bool{}
	for path, item := range document.Paths {
		for method := range item {
			if method != "parameters" {
				described[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	a := &api{options: Options{Loggers: loggers.New(slog.LevelInfo), Metrics: http.NotFoundHandler(), Station: &observe.Station{}}}
	served := map[string]bool{}
	for path, methods := range a.everything() {
		for method := range methods {
			served[method+" "+path] = true
		}
	}
	require.Equal(t, described, served)
}

func TestTheExplorerRunsItsOwnScriptOnly(t *testing.T) {
	w := call(checked(t, &knownHerder{}, Options{}), http.MethodGet, "/v1/explorer", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Header().Get("Content-Type"), "text/html")
	require.Regexp(t, `default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]{44}'`, w.Header().Get("Content-Security-Policy"))
	for _, elsewhere := range []string{"http:", "https:", "src=", "innerHTML"} {
		require.NotContains(t, w.Body.String(), elsewhere)
	}
}

func TestTheDocumentIsServed(t *testing.T) {
	w := call(checked(t, &knownHerder{}, Options{}), http.MethodGet, "/openapi.json", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.True(t, json.Valid(w.Body.Bytes()))
}
