package rest

import (
	"net/http"

	"github.com/tailrace/tailrace/host/herder"
)

func (a *api) pause(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusAccepted, a.herder.Pause(r.Context(), param(r, "connector")))
}

func (a *api) resume(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusAccepted, a.herder.Resume(r.Context(), param(r, "connector")))
}

func (a *api) stop(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusNoContent, a.herder.Stop(r.Context(), param(r, "connector")))
}

func (a *api) restart(w http.ResponseWriter, r *http.Request) {
	status, err := a.herder.Restart(r.Context(), param(r, "connector"), herder.RestartRequest{
		IncludeTasks: flag(r, "includeTasks", false), OnlyFailed: flag(r, "onlyFailed", false),
	})
	if err == nil && status == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	give(w, http.StatusAccepted, status, err)
}
