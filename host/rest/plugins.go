package rest

import (
	"net/http"
	"strings"
)

func (a *api) listPlugins(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, a.herder.Plugins(flag(r, "connectorsOnly", true)))
}

func (a *api) pluginConfig(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	versions := query.Get("version")
	if query.Has("version") && strings.TrimSpace(versions) == "" {
		versions = "[,]" // as Kafka Connect reads it: no version is in it
	}
	keys, err := a.herder.PluginConfig(param(r, "plugin"), versions)
	give(w, http.StatusOK, keys, err)
}

func (a *api) validate(w http.ResponseWriter, r *http.Request) {
	cfg, _, err := readConfig(r)
	if err != nil {
		refuse(w, err)
		return
	}
	infos, err := a.herder.Validate(r.Context(), param(r, "plugin"), cfg)
	give(w, http.StatusOK, infos, err)
}
