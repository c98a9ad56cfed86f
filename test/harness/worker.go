package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/openapitest"
)

// Worker is a running `tailrace standalone` or, with Config.Group, `tailrace distributed`. It belongs to its test.
type Worker struct {
	T    testing.TB
	cmd  *exec.Cmd
	url  string
	args []string
	log  *logFile
	done chan struct{}
}

// Config is how a worker is started. Only Bootstrap is required.
type Config struct {
	Bootstrap  string
	PluginPath string            // the built plugins when empty
	Props      map[string]string // more worker properties
	Dir        string            // state; a temporary folder when empty
	// Group makes it a distributed worker of the cluster of that name, with the internal topics of GroupProps.
	Group string
}

// GroupProps are the worker properties of a cluster on one broker, for Tailrace and for Kafka Connect.
func GroupProps(group string) map[string]string {
	return map[string]string{
		"group.id": group, "config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"config.storage.replication.factor": "1", "offset.storage.replication.factor": "1", "status.storage.replication.factor": "1",
		"offset.storage.partitions": "5",
	}
}

// Start writes worker.properties and waits until REST answers.
func Start(t testing.TB, c Config) *Worker {
	t.Helper()
	bin := Binaries(t)
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.PluginPath == "" {
		c.PluginPath = filepath.Join(bin, "plugins")
	}
	port := FreePort(t)
	props := map[string]string{
		"bootstrap.servers":        c.Bootstrap,
		"key.converter":            "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":          "org.apache.kafka.connect.storage.StringConverter",
		"offset.flush.interval.ms": "500",
		"plugin.path":              c.PluginPath,
		"listeners":                "http://127.0.0.1:" + strconv.Itoa(port),
	}
	mode := "standalone"
	if c.Group != "" {
		mode = "distributed"
		maps.Copy(props, GroupProps(c.Group))
	} else {
		props["offset.storage.file.filename"] = filepath.Join(c.Dir, "connect.offsets")
	}
	for k, v := range c.Props {
		props[k] = v
	}
	var text strings.Builder
	for k, v := range props {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	file := filepath.Join(c.Dir, "worker.properties")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &Worker{T: t, url: "http://127.0.0.1:" + strconv.Itoa(port), args: []string{filepath.Join(bin, "tailrace"), mode, file}}
	w.Start()
	t.Cleanup(func() {
		w.Stop()
		if t.Failed() {
			t.Logf("end of the worker's log:\n%s", w.log.tail(8000))
		}
	})
	return w
}

// PID is the worker's process id.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// URL is the base of the worker's REST API.
func (w *Worker) URL() string { return w.url }

// Start starts the worker again after Stop or Kill.
func (w *Worker) Start() {
	w.T.Helper()
	if w.log == nil {
		w.log = &logFile{}
	}
	w.cmd = exec.Command(w.args[0], w.args[1:]...) //nolint:noctx // the program under test, ended by Cleanup
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		w.T.Fatal(err)
	}
	w.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(w.cmd, w.done)
	Eventually(w.T, 20*time.Second, "REST answers", func() (bool, string) {
		select {
		case <-w.done:
			w.T.Fatalf("the worker ended while it started:\n%s", w.log.tail(8000))
		default:
		}
		status, body := w.REST("GET", "/connectors", nil)
		return status == 200 || status == 401, fmt.Sprint(status, " ", body)
	})
}

// Log is what the worker has printed so far, or its end when that is long.
func (w *Worker) Log() string { return w.log.tail(4 << 20) }

// Stop ends the worker gracefully.
func (w *Worker) Stop() {
	if w.Running() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-w.done:
		case <-time.After(30 * time.Second):
			_ = w.cmd.Process.Kill()
			<-w.done
			w.T.Errorf("the worker did not end within 30 s of SIGTERM")
		}
	}
}

// Running tells whether the process lives.
func (w *Worker) Running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// Kill ends the worker with SIGKILL.
func (w *Worker) Kill() {
	_ = w.cmd.Process.Kill()
	<-w.done
}

// REST sends one request; the status is 0 when nothing answered. The answer must be as the OpenAPI document says.
func (w *Worker) REST(method, path string, body any) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.T.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, in)
	if err != nil {
		w.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	openapitest.Check(w.T, openapitest.Exchange{Method: method, Path: path, Status: resp.StatusCode, Header: resp.Header, Body: raw})
	return resp.StatusCode, string(raw)
}

// Create makes a connector and waits until it and its tasks run.
func (w *Worker) Create(name string, config map[string]string) {
	w.T.Helper()
	w.CreateOnly(name, config)
	w.AwaitState(name, "RUNNING", 1)
}

// CreateOnly makes a connector and waits for nothing.
func (w *Worker) CreateOnly(name string, config map[string]string) {
	w.T.Helper()
	status, body := w.REST("POST", "/connectors", map[string]any{"name": name, "config": config})
	if status != 201 {
		w.T.Fatalf("POST /connectors %s: %d %s", name, status, body)
	}
}

// Status is the answer of GET /connectors/{name}/status.
type Status struct {
	Connector InstanceStatus
	Tasks     []struct {
		ID int
		InstanceStatus
	}
}

// InstanceStatus is the state of a connector or task.
type InstanceStatus struct {
	State, Trace string
	WorkerID     string `json:"worker_id"`
}

// Status asks for the status; text is the answer as it came.
func (w *Worker) Status(name string) (s Status, text string) {
	code, body := w.REST("GET", "/connectors/"+name+"/status", nil)
	if code == 200 {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			w.T.Fatal(err)
		}
	}
	return s, body
}

// AwaitState waits for the connector and at least n tasks to be in a state.
func (w *Worker) AwaitState(name, state string, n int) {
	w.T.Helper()
	Eventually(w.T, 20*time.Second, name+" is "+state, func() (bool, string) {
		s, text := w.Status(name)
		if s.Connector.State != state || len(s.Tasks) < n {
			return false, text
		}
		for _, task := range s.Tasks {
			if task.State != state {
				return false, text
			}
		}
		return true, text
	})
}

// Offered returns the version under which the worker offers a connector class.
func (w *Worker) Offered(class string) (string, bool) {
	_, body := w.REST("GET", "/connector-plugins", nil)
	var plugins []struct{ Class, Version string }
	if err := json.Unmarshal([]byte(body), &plugins); err != nil {
		return "", false
	}
	for _, p := range plugins {
		if p.Class == class {
			return p.Version, true
		}
	}
	return "", false
}

// FailsWith waits until a task of the connector, or the connector, is FAILED with a text in its trace.
func (w *Worker) FailsWith(name, text string) {
	w.T.Helper()
	w.SaysInStatus(name, "FAILED", text)
}

// SaysInStatus waits until the connector or a task of it has a state with a text in the trace.
func (w *Worker) SaysInStatus(name, state, text string) {
	w.T.Helper()
	Eventually(w.T, 30*time.Second, name+" is "+state+" with "+text, func() (bool, string) {
		s, body := w.Status(name)
		found := s.Connector.State == state && strings.Contains(s.Connector.Trace, text)
		for _, task := range s.Tasks {
			found = found || task.State == state && strings.Contains(task.Trace, text)
		}
		return found, body
	})
}

// SaysInLog waits until the end of the worker's log has a text.
func (w *Worker) SaysInLog(text string) {
	w.T.Helper()
	Eventually(w.T, 30*time.Second, "the log says "+text, func() (bool, string) {
		tail := w.log.tail(64 << 10)
		return strings.Contains(tail, text), tail[max(0, len(tail)-2000):]
	})
}

// logFile keeps what a process printed, up to a bound.
type logFile struct {
	mu  sync.Mutex
	buf []byte
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if len(l.buf) > 4<<20 {
		l.buf = l.buf[len(l.buf)-2<<20:]
	}
	return len(p), nil
}

func (l *logFile) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf[max(0, len(l.buf)-n):])
}
