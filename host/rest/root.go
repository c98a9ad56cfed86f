package rest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/rest/openapi"
)

const (
	// requestTimeout and healthTimeout are Kafka Connect's. Every request has the first one.
	requestTimeout = 90 * time.Second
	healthTimeout  = 10 * time.Second
)

func (a *api) root(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.herder.About())
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	h := a.herder.Health(ctx)
	status := map[herder.HealthStatus]int{
		herder.Healthy: http.StatusOK, herder.Starting: http.StatusServiceUnavailable, herder.Unhealthy: http.StatusInternalServerError,
	}[h.Status]
	answer(w, status, h)
}

// document describes the API.
func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(openapi.JSON())
}

// explorer is a page for people who look at the API with a browser.
func explorer(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", openapi.ExplorerPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openapi.Explorer)
}

// flag reads a boolean of the query as Java does: only true, in any case, is true.
func flag(r *http.Request, name string, absent bool) bool {
	values, ok := r.URL.Query()[name]
	if !ok {
		return absent
	}
	return strings.EqualFold(values[0], "true")
}
