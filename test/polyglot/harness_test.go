package polyglot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
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

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

// built are the programs under test, made once for the package's run.
var built = sync.OnceValues(func() (programs, error) {
	dir, err := os.MkdirTemp("", "tailrace-polyglot-")
	if err != nil {
		return programs{}, err
	}
	p := programs{dir: dir, worker: filepath.Join(dir, "tailrace"), goPlugins: filepath.Join(dir, "plugins")}
	for out, target := range map[string]string{p.worker: "./host/cmd/tailrace", p.goPlugins + "/": "./plugins/..."} {
		cmd := exec.Command("go", "build", "-o", out, target)
		cmd.Dir = filepath.Join("..", "..")
		if text, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("go build %s: %w\n%s", target, err, text)
		}
	}
	p.python, err = setup()
	return p, err
})

type programs struct {
	dir, worker, goPlugins string
	python                 string // what python/setup made: venv/, plugins/
}

// setup runs python/setup, which makes the environment once and keeps it in .cache.
func setup() (home string, err error) {
	cmd := exec.Command("python/setup") //nolint:noctx // bounded by the test's own deadline
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("python/setup: %w\n%s", err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if p, _ := built(); p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
	os.Exit(code)
}

// brokers runs a test on the embedded broker and on a real Kafka.
func brokers(t *testing.T, test func(t *testing.T, bootstrap string)) {
	t.Run("embedded", func(t *testing.T) {
		b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		test(t, b.Addr())
	})
	t.Run("real", func(t *testing.T) { test(t, env.Kafka(t).Bootstrap) })
}

// worker is a running `tailrace standalone` with the Go and the Python plugins.
type worker struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	log  string
	done chan struct{}
}

func startWorker(t testing.TB, bootstrap string) *worker {
	t.Helper()
	p, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	port := freePort(t)
	properties := fmt.Sprintf(`bootstrap.servers=%s
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=%s/connect.offsets
offset.flush.interval.ms=500
plugin.path=%s,%s/plugins
listeners=http://127.0.0.1:%d
`, bootstrap, dir, p.goPlugins, p.python, port)
	file := filepath.Join(dir, "worker.properties")
	if err := os.WriteFile(file, []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, url: "http://127.0.0.1:" + strconv.Itoa(port), log: filepath.Join(dir, "log"), done: make(chan struct{})}
	log, err := os.Create(w.log)
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = exec.Command(p.worker, "standalone", file) //nolint:noctx // the program under test, ended by Cleanup
	w.cmd.Stdout, w.cmd.Stderr = log, log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = w.cmd.Wait()
		_ = log.Close()
		close(w.done)
	}()
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			text, _ := os.ReadFile(w.log)
			t.Logf("end of the worker's log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	eventually(t, 20*time.Second, "REST answers", func() (bool, string) {
		status, body := w.rest(http.MethodGet, "/connectors", nil)
		return status == http.StatusOK, fmt.Sprint(status, " ", body)
	})
	return w
}

// stop ends the worker gracefully: what the tasks hold is flushed.
func (w *worker) stop() {
	if !w.running() {
		return
	}
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-w.done:
	case <-time.After(30 * time.Second):
		_ = w.cmd.Process.Kill()
		<-w.done
		w.t.Errorf("the worker did not end within 30 s of SIGTERM")
	}
}

func (w *worker) running() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// rest sends one request; the status is 0 when nothing answered.
func (w *worker) rest(method, path string, body any) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(answer)
}

// create makes a connector and waits until its task runs.
func (w *worker) create(name string, config map[string]string) {
	w.t.Helper()
	status, body := w.rest(http.MethodPost, "/connectors", map[string]any{"name": name, "config": config})
	if status != http.StatusCreated {
		w.t.Fatalf("POST /connectors %s: %d %s", name, status, body)
	}
	eventually(w.t, 20*time.Second, name+" is running", func() (bool, string) { return w.taskRuns(name) })
}

// taskRuns tells whether the connector has one task and it is RUNNING.
func (w *worker) taskRuns(name string) (ok bool, text string) {
	code, body := w.rest(http.MethodGet, "/connectors/"+name+"/status", nil)
	var s struct {
		Connector struct{ State string }
		Tasks     []struct{ State string }
	}
	if code != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil {
		return false, body
	}
	return s.Connector.State == "RUNNING" && len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING", body
}

// processes lists the worker's descendants whose command line holds a text.
func (w *worker) processes(text string) []int {
	parents := make(map[int]int)
	matches := make(map[int]bool)
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] == "Z" {
			continue
		}
		parents[pid], _ = strconv.Atoi(fields[1])
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		matches[pid] = bytes.Contains(cmdline, []byte(text))
	}
	var pids []int
	for pid, match := range matches {
		for up := parents[pid]; match && up != 0; up = parents[up] {
			if up == w.cmd.Process.Pid {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// eventually waits for a condition; on a miss it tells what was seen last.
func eventually(t testing.TB, within time.Duration, what string, cond func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, seen := cond()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s; last seen: %s", within, what, seen)
		}
		<-tick.C
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// lineCount counts the whole lines of a file that may not exist yet.
func lineCount(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	n := 0
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte{'\n'})
		if err != nil {
			return n
		}
	}
}
