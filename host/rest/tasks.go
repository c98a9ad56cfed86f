package rest

import (
	"net/http"
	"strconv"

	"github.com/tailrace/tailrace/host/access"
)

// taskParam reads the task's number; what is no number is no path to Kafka Connect.
func taskParam(w http.ResponseWriter, r *http.Request) (int, bool) {
	n, err := strconv.ParseInt(param(r, "task"), 10, 32)
	if err != nil {
		problem(w, http.StatusNotFound, httpText(http.StatusNotFound))
		return 0, false
	}
	return int(n), true
}

func (a *api) getTasks(w http.ResponseWriter, r *http.Request) {
	name := param(r, "connector")
	tasks, err := a.herder.Tasks(name)
	if visitOf(r).rights.On(name) < access.Admin {
		for i := range tasks {
			tasks[i].Config = a.herder.Masked(tasks[i].Config)
		}
	}
	give(w, http.StatusOK, tasks, err)
}

func (a *api) getTaskStatus(w http.ResponseWriter, r *http.Request) {
	n, ok := taskParam(w, r)
	if !ok {
		return
	}
	s, err := a.herder.TaskStatus(param(r, "connector"), n)
	give(w, http.StatusOK, s, err)
}

func (a *api) restartTask(w http.ResponseWriter, r *http.Request) {
	n, ok := taskParam(w, r)
	if !ok {
		return
	}
	done(w, http.StatusNoContent, a.herder.RestartTask(r.Context(), param(r, "connector"), n))
}

// postTasks and fence are what workers of a cluster ask of their leader.
func (a *api) postTasks(w http.ResponseWriter, _ *http.Request) {
	problem(w, http.StatusInternalServerError, "Kafka Connect in standalone mode does not support externally setting task configurations.")
}

func (a *api) fence(w http.ResponseWriter, r *http.Request) {
	const header = "X-Connect-Request-Signature-Algorithm"
	if algorithm := r.Header.Get(header); algorithm != "" && algorithm != "HmacSHA256" {
		problem(w, http.StatusBadRequest, "Algorithm "+algorithm+" not available")
		return
	}
	problem(w, http.StatusInternalServerError, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
}
