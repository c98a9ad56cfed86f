package rest

import (
	"context"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

const jsonType = "application/json"

func contextWithRoute(ctx context.Context, route *chi.Context) context.Context {
	return context.WithValue(ctx, chi.RouteCtxKey, route)
}

// negotiated refuses what the client or the server cannot read, and gives the handler its time.
func negotiated(method string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !sendsJSON(method, r) {
			// Kafka Connect answers with a content type only to a request that has none itself, or a pattern.
			if given := r.Header.Get("Content-Type"); given == "" || isJSON(given) {
				problem(w, http.StatusUnsupportedMediaType, httpText(http.StatusUnsupportedMediaType))
			} else {
				bare(w, http.StatusUnsupportedMediaType)
			}
			return
		}
		contentType, ok := answerType(acceptable(r.Header.Values("Accept")))
		if !ok {
			bare(w, http.StatusNotAcceptable)
			return
		}
		if contentType != jsonType {
			w = typedAnswers{w, contentType}
		}
		if strings.HasPrefix(r.URL.Path, "/v1/") && follows(r) {
			handle(w, r) // a stream has no end of its own
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		handle(w, r.WithContext(ctx))
	}
}

// sendsJSON tells whether a request may go on by its Content-Type. As in Kafka Connect, one that says another type is
// refused even where the body is not read, and one that says none where it is.
func sendsJSON(method string, r *http.Request) bool {
	route := chi.RouteContext(r.Context()).RoutePattern()
	given := r.Header.Get("Content-Type")
	switch {
	case route == "/connectors/{connector}/tasks" && method == http.MethodPost || route == "/connectors/{connector}/fence":
		return true // between workers: the bytes count, which are signed
	case given == "":
		return r.ContentLength == 0 || !readsBody(method, route)
	case method == http.MethodGet && !strings.HasPrefix(route, "/connector") && !strings.HasPrefix(route, "/admin/"):
		return true // the root and health take everything, and so do Tailrace's own paths
	}
	media, _, err := mime.ParseMediaType(given)
	return err == nil && (media == jsonType || isJSON(media) && !readsBody(method, route))
}

// readsBody tells whether the body of a request counts.
func readsBody(method, route string) bool {
	switch method {
	case http.MethodPatch:
		return true
	case http.MethodPost:
		return !strings.HasSuffix(route, "/restart")
	case http.MethodPut:
		return strings.HasSuffix(route, "/config") || strings.HasSuffix(route, "/validate") || strings.HasPrefix(route, "/admin/loggers/")
	}
	return false
}

// allowed is the Allow header of a path, in Kafka Connect's order.
func allowed(m methods) string {
	has := map[string]bool{http.MethodOptions: true}
	for method := range maps.Keys(m) {
		has[method] = true
		has[http.MethodHead] = has[http.MethodHead] || method == http.MethodGet
	}
	order := []string{http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodGet, http.MethodOptions, http.MethodPut, http.MethodPatch}
	return strings.Join(slices.DeleteFunc(order, func(method string) bool { return !has[method] }), ",")
}

func options(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		contentType, plain := optionsType(acceptable(r.Header.Values("Accept")))
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusOK)
		if plain {
			_, _ = w.Write([]byte(strings.ReplaceAll(allowed, ",", ", ")))
		}
	}
}
