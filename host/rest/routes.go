package rest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/go-chi/chi/v5"

	"github.com/tailrace/tailrace/host/herder"
)

// api holds what the handlers share.
type api struct {
	herder  herder.Herder
	options Options
	streams atomic.Int64 // that are open
}

// Options are what the API offers beside the herder, and how.
type Options struct {
	// Loggers are served at /admin/loggers; nil serves none.
	Loggers Loggers
	// SetClusterLevel carries out scope=cluster; nil when the worker is alone.
	SetClusterLevel ClusterLevel
	// Peers are the other workers; nil when the worker is alone.
	Peers *Peers
	// WorkerID is how this worker is named in statuses, PeerScheme how the others are reached (http when empty).
	WorkerID, PeerScheme string
	// Metrics is served at /metrics; nil serves none.
	Metrics http.Handler
	// Station is served below /v1; nil serves none.
	Station Station
	// Stopping ends streamed answers when the worker stops; nil for never.
	Stopping context.Context //nolint:containedctx // a signal, not a request's
	CORS     CORS
	Headers  []HeaderRule
	Security
}

// Handler is the whole API, without the limits that [Server] sets. For the admin
// part on listeners of its own see [Admin]; then o.Loggers is nil here.
func Handler(h herder.Herder, o Options) http.Handler {
	return serve((&api{herder: h, options: o}).everything(), o)
}

// everything is the table of all paths that the options ask for.
func (a *api) everything() map[string]methods {
	table := a.table()
	if a.options.Loggers != nil {
		maps.Copy(table, a.admin())
	}
	if a.options.Metrics != nil {
		table["/metrics"] = methods{http.MethodGet: a.options.Metrics.ServeHTTP}
	}
	if a.options.Station != nil {
		maps.Copy(table, a.observed())
	}
	return table
}

// Admin is the admin part alone, for admin.listeners.
func Admin(o Options) http.Handler {
	return serve((&api{options: o}).admin(), o)
}

func serve(table map[string]methods, o Options) http.Handler {
	g := newGuard(o.Security)
	r := chi.NewRouter()
	// What does not exist is told to insiders only, like everything.
	r.NotFound(g.protect(http.MethodOptions, "", func(w http.ResponseWriter, _ *http.Request) { bare(w, http.StatusNotFound) }))
	r.MethodNotAllowed(g.protect(http.MethodOptions, "", func(w http.ResponseWriter, req *http.Request) {
		// The router says so of every path when it does not know the method.
		if !r.Match(chi.NewRouteContext(), http.MethodOptions, chi.RouteContext(req.Context()).RoutePath) {
			bare(w, http.StatusNotFound)
			return
		}
		bare(w, http.StatusMethodNotAllowed)
	}))
	for path, methods := range table {
		mount(r, g, path, methods)
	}
	return withHeaders(o.Headers, withCORS(o.CORS, sameOrigin(o.CORS, normalise(r))))
}

// admin lists the paths of the admin part.
func (a *api) admin() map[string]methods {
	return map[string]methods{
		"/admin/loggers":          {http.MethodGet: a.listLoggers},
		"/admin/loggers/{logger}": {http.MethodGet: a.getLogger, http.MethodPut: a.setLogger},
	}
}

// table lists every path with its methods.
func (a *api) table() map[string]methods {
	const connector = "/connectors/{connector}"
	return map[string]methods{
		"/":                                           {http.MethodGet: a.root},
		"/health":                                     {http.MethodGet: a.health},
		"/connectors":                                 {http.MethodGet: a.listConnectors, http.MethodPost: a.at(herder.Leads, a.createConnector)},
		connector:                                     {http.MethodGet: a.getConnector, http.MethodDelete: a.at(herder.Leads, a.deleteConnector)},
		connector + "/config":                         {http.MethodGet: a.getConfig, http.MethodPut: a.at(herder.Leads, a.putConfig), http.MethodPatch: a.at(herder.Leads, a.patchConfig)},
		connector + "/status":                         {http.MethodGet: a.getStatus},
		connector + "/topics":                         {http.MethodGet: a.getTopics},
		connector + "/topics/reset":                   {http.MethodPut: a.resetTopics},
		connector + "/pause":                          {http.MethodPut: a.pause},
		connector + "/resume":                         {http.MethodPut: a.resume},
		connector + "/stop":                           {http.MethodPut: a.at(herder.Leads, a.stop)},
		connector + "/restart":                        {http.MethodPost: a.atPlaceOfRestart(a.restart)},
		connector + "/offsets":                        {http.MethodGet: a.getOffsets, http.MethodPatch: a.at(herder.Leads, a.alterOffsets), http.MethodDelete: a.at(herder.Leads, a.resetOffsets)},
		connector + "/tasks":                          {http.MethodGet: a.getTasks, http.MethodPost: a.at(herder.Leads, a.postTasks)},
		connector + "/tasks/{task}/status":            {http.MethodGet: a.getTaskStatus},
		connector + "/tasks/{task}/restart":           {http.MethodPost: a.at(herder.OwnsTask, a.restartTask)},
		connector + "/fence":                          {http.MethodPut: a.at(herder.Leads, a.fence)},
		"/connector-plugins":                          {http.MethodGet: a.listPlugins},
		"/connector-plugins/{plugin}/config":          {http.MethodGet: a.pluginConfig},
		"/connector-plugins/{plugin}/config/validate": {http.MethodPut: a.validate},
		"/openapi.json":                               {http.MethodGet: document},
		"/v1/explorer":                                {http.MethodGet: explorer},
		"/v1/connectors/{connector}/progress":         {http.MethodGet: a.progress},
	}
}

// methods are the handlers of a path. HEAD comes with GET, OPTIONS with all.
type methods map[string]http.HandlerFunc

func mount(r chi.Router, g *guard, path string, m methods) {
	r.MethodFunc(http.MethodOptions, path, g.protect(http.MethodOptions, path, options(allowed(m))))
	for method, handle := range m {
		h := negotiated(method, handle)
		if path == "/metrics" || path == "/v1/explorer" {
			h = handle // it has content types of its own
		}
		h = g.protect(method, path, h)
		r.MethodFunc(method, path, h)
		if method == http.MethodGet {
			r.MethodFunc(http.MethodHead, path, h)
		}
	}
}

// normalise routes by the path as it was sent, so that an encoded slash stays in
// its segment. A slash at the end and parameters after a semicolon do not count.
func normalise(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if strings.Contains(path, "//") {
			problem(w, http.StatusBadRequest, "The path has an empty segment; remove the double slash")
			return
		}
		if strings.Contains(path, ";") {
			segments := strings.Split(path, "/")
			for i, s := range segments {
				segments[i], _, _ = strings.Cut(s, ";")
			}
			path = strings.Join(segments, "/")
		}
		if len(path) > 1 {
			path = strings.TrimSuffix(path, "/")
		}
		ctx := chi.NewRouteContext()
		ctx.RoutePath = path
		next.ServeHTTP(w, r.WithContext(contextWithRoute(r.Context(), ctx)))
	})
}

// param is a decoded part of the path.
func param(r *http.Request, name string) string {
	raw := chi.URLParam(r, name)
	if text, err := url.PathUnescape(raw); err == nil {
		return text
	}
	return raw
}
