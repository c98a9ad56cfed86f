package rest

import (
	"net/http"
	"strconv"

	"github.com/tailrace/tailrace/host/access"
	"github.com/tailrace/tailrace/host/herder"
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
func (a *api) postTasks(w http.ResponseWriter, r *http.Request) {
	in, err := open(r)
	var tasks []map[string]string
	if err == nil {
		err = in.list("the request", func() error {
			cfg, _, err := in.config("a task configuration")
			task := make(map[string]string, len(cfg))
			for k, v := range cfg {
				if v != nil {
					task[k] = *v
				}
			}
			tasks = append(tasks, task)
			return err
		})
	}
	if err == nil {
		err = a.herder.PutTasks(r.Context(), param(r, "connector"), tasks, in.text, signatureOf(r))
	}
	done(w, http.StatusNoContent, err)
}

func (a *api) fence(w http.ResponseWriter, r *http.Request) {
	done(w, http.StatusNoContent, a.herder.Fence(r.Context(), param(r, "connector"), signatureOf(r)))
}

func signatureOf(r *http.Request) herder.Signature {
	return herder.Signature{
		Algorithm: r.Header.Get(headerSignatureAlgorithm), Value: r.Header.Get(headerSignature),
		Admitted: visitOf(r).rights.On(param(r, "connector")) >= access.Admin,
	}
}
