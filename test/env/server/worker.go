package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Worker is a running worker with the REST API of Kafka Connect: Kafka Connect itself or another program.
type Worker struct {
	process *process
	dir     string // worker.properties, offsets, worker.log
	url     string
	ready   time.Duration
	cpu     time.Duration
}

// StartWorker starts a worker and returns when its REST API answers. The path of its properties file is appended to
// command; listeners and offset.storage.file.filename are added to the properties where they are missing. Close ends it.
func StartWorker(ctx context.Context, command []string, properties map[string]string) (*Worker, error) {
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tailrace-worker-")
	if err != nil {
		return nil, err
	}
	w := &Worker{dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	all := map[string]string{"listeners": w.url}
	if _, distributed := properties["offset.storage.topic"]; !distributed { // which would take the key for a topic's config
		all["offset.storage.file.filename"] = filepath.Join(dir, "offsets")
	}
	maps.Copy(all, properties)
	file := filepath.Join(dir, "worker.properties")
	if err := writeProperties(file, all); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	argv := append(append([]string(nil), command...), file)
	started := time.Now()
	w.process, err = startProcess(argv, os.Environ(), w.Log(), dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), os.RemoveAll(dir))
	}
	err = w.process.await(ctx, "an answer of "+w.url+"/connectors", func() bool { return w.answers(ctx) })
	w.ready = time.Since(started)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", command[0], err), w.Close())
	}
	return w, nil
}

// URL is the base of the worker's REST API.
func (w *Worker) URL() string { return w.url }

// Log is the path of the worker's log.
func (w *Worker) Log() string { return filepath.Join(w.dir, "worker.log") }

// LogTail is the end of the worker's log, for an error message.
func (w *Worker) LogTail() string { return w.process.logTail() }

// PID is the worker's process id.
func (w *Worker) PID() int { return w.process.cmd.Process.Pid }

// Ready is how long it took from starting the process to the first good answer of the REST API, to within 20 ms.
func (w *Worker) Ready() time.Duration { return w.ready }

// FinalCPU is, after Close, the processor time of the worker and of every descendant that was waited for, as the
// kernel gave it at the end: to the microsecond, start and shutdown included.
func (w *Worker) FinalCPU() time.Duration { return w.cpu }

func (w *Worker) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := w.call(ctx, http.MethodGet, "/connectors", nil)
	return err == nil
}

// Create creates a connector through the REST API.
func (w *Worker) Create(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return err
	}
	if _, err := w.call(ctx, http.MethodPost, "/connectors", body); err != nil {
		return fmt.Errorf("create connector %q: %w", name, err)
	}
	return nil
}

// Status is the answer of the REST API about a connector's state, for a person to read.
func (w *Worker) Status(ctx context.Context, name string) string {
	answer, err := w.call(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}

// Close ends the worker and removes its files.
func (w *Worker) Close() error {
	err := w.process.stop(stopGrace)
	if state := w.process.cmd.ProcessState; state != nil {
		w.cpu = state.UserTime() + state.SystemTime()
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// call makes one HTTP request on a connection of its own, so that no idle connection (and its goroutines) stays.
func (w *Worker) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Close = true
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %s: %s", method, path, response.Status, answer)
	}
	return answer, nil
}
