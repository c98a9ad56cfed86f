package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/loggers"
)

// Loggers are the levels of this worker; *loggers.Registry is one.
type Loggers interface {
	List() map[string]loggers.Logger
	Get(name string) (loggers.Logger, bool)
	// Set returns the loggers that changed; nil when it cannot take one more.
	Set(name, levelName string, level slog.Level, now time.Time) []string
}

func (a *api) listLoggers(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.options.Loggers.List())
}

func (a *api) getLogger(w http.ResponseWriter, r *http.Request) {
	name := param(r, "logger")
	l, ok := a.options.Loggers.Get(name)
	if !ok {
		problem(w, http.StatusNotFound, "Logger "+name+" not found.")
		return
	}
	answer(w, http.StatusOK, l)
}

func (a *api) setLogger(w http.ResponseWriter, r *http.Request) {
	text, err := readLevel(r)
	switch {
	case err != nil:
		refuse(w, err)
		return
	case text == nil:
		problem(w, http.StatusBadRequest, "Desired 'level' parameter was not specified in request.")
		return
	}
	levelName, level, ok := loggers.ParseLevel(*text)
	if !ok {
		problem(w, http.StatusNotFound, "invalid log level '"+*text+"'.")
		return
	}
	name := param(r, "logger")
	cluster := strings.EqualFold(r.URL.Query().Get("scope"), "cluster")
	if set := a.options.SetClusterLevel; cluster && set != nil {
		done(w, http.StatusNoContent, set(r.Context(), name, levelName))
		return
	}
	changed := a.options.Loggers.Set(name, levelName, level, time.Now())
	switch {
	case changed == nil:
		refuse(w, &herder.Error{Kind: herder.BadRequest, Message: "Too many loggers have a level of their own; set the level of one that has, or restart the worker"})
	case cluster:
		w.WriteHeader(http.StatusNoContent) // this worker is the cluster
	default:
		answer(w, http.StatusOK, changed)
	}
}

// readLevel reads {"level": TEXT}; other members do not count, as in Kafka Connect.
func readLevel(r *http.Request) (level *string, err error) {
	in, err := open(r)
	if err != nil {
		return nil, err
	}
	err = in.object("the request", func(member string, _ int64) (err error) {
		if member == "level" {
			level, err = in.scalar("level")
			return err
		}
		_, err = in.raw()
		return err
	})
	return level, err
}

// ClusterLevel changes the level of a logger on every worker of a cluster.
type ClusterLevel func(ctx context.Context, logger, levelName string) error
