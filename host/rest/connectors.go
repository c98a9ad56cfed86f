package rest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/access"
	"github.com/tailrace/tailrace/host/herder"
)

func (a *api) listConnectors(w http.ResponseWriter, r *http.Request) {
	rights := visitOf(r).rights
	names := slices.DeleteFunc(slices.Clone(a.herder.Connectors()), func(name string) bool { return rights.On(name) < access.Viewer })
	expand, ok := r.URL.Query()["expand"]
	if !ok {
		answer(w, http.StatusOK, append([]string{}, names...))
		return
	}
	out := make(map[string]map[string]any, len(names))
	for _, name := range names {
		parts := map[string]any{}
		for _, what := range expand {
			var part any
			var err error
			switch what {
			case "status":
				part, err = a.herder.Status(name)
			case "info":
				part, err = a.connector(r, name)
			default:
				continue // as Kafka Connect: what is not known is left out
			}
			if err != nil {
				continue // it has vanished meanwhile
			}
			parts[what] = part
		}
		out[name] = parts
	}
	answer(w, http.StatusOK, out)
}

func (a *api) createConnector(w http.ResponseWriter, r *http.Request) {
	request, err := readCreate(r)
	if err != nil {
		refuse(w, err)
		return
	}
	// As the herder reads it: the name that is checked is the name that is made.
	request.Name = strings.TrimFunc(request.Name, func(c rune) bool { return c <= ' ' })
	if !allow(w, r, request.Name, access.Admin) {
		return
	}
	c, err := a.herder.Create(r.Context(), request)
	if err == nil {
		locate(w, r, c.Name)
	}
	give(w, http.StatusCreated, c, err)
}

func readCreate(r *http.Request) (herder.CreateRequest, error) {
	var request herder.CreateRequest
	in, err := open(r)
	if err != nil {
		return request, err
	}
	seen := false
	err = in.object("the request", func(member string, at int64) (err error) {
		switch member {
		case "name":
			err = in.scalarInto("name", &request.Name)
		case "config":
			seen = true
			request.Config, request.Order, err = in.config("config")
		case "initial_state":
			var state *string
			if state, err = in.scalar("initial_state"); state != nil {
				request.InitialState = herder.TargetState(strings.ToUpper(*state))
				if *state == "" {
					err = in.fault(at, "initial_state is empty; use RUNNING, PAUSED or STOPPED,")
				}
			}
		default:
			err = in.fault(at, "the member "+member+" is not known; known are name, config and initial_state,")
		}
		return err
	})
	if err != nil {
		return request, err
	}
	if !seen {
		return request, in.fault(0, "the member config is missing")
	}
	return request, nil
}

// scalarInto reads a scalar into a string; null leaves it empty.
func (in *reader) scalarInto(what string, into *string) error {
	value, err := in.scalar(what)
	if value != nil {
		*into = *value
	}
	return err
}

// locate says where a new connector is, by the name that the client called the worker.
func locate(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Location", baseOf(r)+"/connectors/"+plain.Replace(url.PathEscape(name)))
}

// plain takes back what Kafka Connect leaves as it is; a semicolon is not among it, because parameters begin there.
var plain = strings.NewReplacer("%2C", ",", "%2A", "*", "%21", "!", "%27", "'", "%28", "(", "%29", ")")

func (a *api) getConnector(w http.ResponseWriter, r *http.Request) {
	c, err := a.connector(r, param(r, "connector"))
	give(w, http.StatusOK, c, err)
}

// connector shows a connector. Who may not change it sees no secrets.
func (a *api) connector(r *http.Request, name string) (herder.Connector, error) {
	c, err := a.herder.Connector(name)
	if err == nil && visitOf(r).rights.On(name) < access.Admin {
		c.Config = a.herder.Masked(c.Config)
	}
	return c, err
}

func (a *api) deleteConnector(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusNoContent, a.herder.Delete(r.Context(), param(r, "connector")))
}

func (a *api) getConfig(w http.ResponseWriter, r *http.Request) {
	c, err := a.connector(r, param(r, "connector"))
	give(w, http.StatusOK, c.Config, err)
}

func (a *api) putConfig(w http.ResponseWriter, r *http.Request) {
	cfg, order, err := readConfig(r)
	if err != nil {
		refuse(w, err)
		return
	}
	c, created, err := a.herder.Put(r.Context(), param(r, "connector"), cfg, order)
	status := http.StatusOK
	if created && err == nil {
		status = http.StatusCreated
		locate(w, r, c.Name)
	}
	give(w, status, c, err)
}

func (a *api) patchConfig(w http.ResponseWriter, r *http.Request) {
	cfg, order, err := readConfig(r)
	if err != nil {
		// As in Kafka Connect, what is not there comes before what is empty.
		var none *bodyError
		if _, missing := a.herder.Connector(param(r, "connector")); missing != nil && errors.As(err, &none) && none.absent {
			err = missing
		}
		refuse(w, err)
		return
	}
	c, err := a.herder.Patch(r.Context(), param(r, "connector"), cfg, order)
	give(w, http.StatusOK, c, err)
}

func (a *api) getStatus(w http.ResponseWriter, r *http.Request) {
	s, err := a.herder.Status(param(r, "connector"))
	give(w, http.StatusOK, s, err)
}

func (a *api) getTopics(w http.ResponseWriter, r *http.Request) {
	name := param(r, "connector")
	topics, err := a.herder.Topics(name)
	give(w, http.StatusOK, map[string]map[string][]string{name: {"topics": topics}}, err)
}

func (a *api) resetTopics(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusAccepted, a.herder.ResetTopics(r.Context(), param(r, "connector")))
}

// progress is Tailrace's own: what the tasks of a connector have done, on every worker.
func (a *api) progress(w http.ResponseWriter, r *http.Request) {
	name := param(r, "connector")
	p, err := a.herder.Progress(name)
	if err == nil {
		for _, other := range gather[herder.Progress](a, w, r, a.others(r, name)) {
			p.Tasks = append(p.Tasks, other.answer.Tasks...)
		}
		slices.SortStableFunc(p.Tasks, func(x, y herder.TaskProgress) int { return x.ID - y.ID })
	}
	give(w, http.StatusOK, p, err)
}
