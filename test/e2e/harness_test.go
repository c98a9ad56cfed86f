package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
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

// built are the binaries under test, built once for the package's run.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// binaries builds the worker and the plugins as `make build` does and returns
// the folder: tailrace, plugins/.
func binaries(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "tailrace-e2e-") //nolint:usetesting // outlives the test that builds them
		if err != nil {
			built.err = err
			return
		}
		built.dir = dir
		for target, out := range map[string]string{"./host/cmd/tailrace": "tailrace", "./plugins/...": "plugins/"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, out)+trailing(out), target) //nolint:noctx // bounded by the test's own deadline
			cmd.Dir = root()
			if text, err := cmd.CombinedOutput(); err != nil {
				built.err = fmt.Errorf("go build %s: %w\n%s", target, err, text)
				return
			}
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func trailing(out string) string {
	if strings.HasSuffix(out, "/") {
		return "/"
	}
	return ""
}

func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// long makes the fault tests long: `make chaos`.
var long = flag.Bool("long", false, "more kills, more lines, longer outages")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// brokers are what every pipeline test runs on.
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

// worker is a running `tailrace standalone`.
type worker struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string
	args []string
	log  *logFile
	done chan struct{}
}

type workerConfig struct {
	bootstrap  string
	pluginPath string            // the built plugins when empty
	props      map[string]string // more worker properties
	dir        string            // state; a temporary folder when empty
}

// startWorker writes worker.properties and waits until REST answers.
func startWorker(t testing.TB, c workerConfig) *worker {
	t.Helper()
	bin := binaries(t)
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	if c.pluginPath == "" {
		c.pluginPath = filepath.Join(bin, "plugins")
	}
	port := freePort(t)
	props := map[string]string{
		"bootstrap.servers":            c.bootstrap,
		"key.converter":                "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":              "org.apache.kafka.connect.storage.StringConverter",
		"offset.storage.file.filename": filepath.Join(c.dir, "connect.offsets"),
		"offset.flush.interval.ms":     "500",
		"plugin.path":                  c.pluginPath,
		"listeners":                    "http://127.0.0.1:" + strconv.Itoa(port),
	}
	for k, v := range c.props {
		props[k] = v
	}
	var text strings.Builder
	for k, v := range props {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	file := filepath.Join(c.dir, "worker.properties")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, url: "http://127.0.0.1:" + strconv.Itoa(port), args: []string{filepath.Join(bin, "tailrace"), "standalone", file}}
	w.start()
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("end of the worker's log:\n%s", w.log.tail(8000))
		}
	})
	return w
}

func (w *worker) start() {
	w.t.Helper()
	if w.log == nil {
		w.log = &logFile{}
	}
	w.cmd = exec.Command(w.args[0], w.args[1:]...) //nolint:noctx // the program under test, ended by Cleanup
	w.cmd.Stdout, w.cmd.Stderr = w.log, w.log
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(w.cmd, w.done)
	eventually(w.t, 20*time.Second, "REST answers", func() (bool, string) {
		select {
		case <-w.done:
			w.t.Fatalf("the worker ended while it started:\n%s", w.log.tail(8000))
		default:
		}
		status, body := w.rest("GET", "/connectors", nil)
		return status == 200, fmt.Sprint(status, " ", body)
	})
}

// stop ends the worker gracefully.
func (w *worker) stop() {
	if w.running() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-w.done:
		case <-time.After(30 * time.Second):
			_ = w.cmd.Process.Kill()
			<-w.done
			w.t.Errorf("the worker did not end within 30 s of SIGTERM")
		}
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

// kill ends the worker with SIGKILL.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	<-w.done
}

// rest sends one request; the status is 0 when nothing answered.
func (w *worker) rest(method, path string, body any) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, in)
	if err != nil {
		w.t.Fatal(err)
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
	return resp.StatusCode, string(raw)
}

// create makes a connector and waits until it and its tasks run.
func (w *worker) create(name string, config map[string]string) {
	w.t.Helper()
	w.createOnly(name, config)
	w.awaitState(name, "RUNNING", 1)
}

func (w *worker) createOnly(name string, config map[string]string) {
	w.t.Helper()
	status, body := w.rest("POST", "/connectors", map[string]any{"name": name, "config": config})
	if status != 201 {
		w.t.Fatalf("POST /connectors %s: %d %s", name, status, body)
	}
}

// connectorStatus is the answer of GET /connectors/{name}/status.
type connectorStatus struct {
	Connector struct{ State, Trace string }
	Tasks     []struct {
		ID           int
		State, Trace string
	}
}

func (w *worker) status(name string) (s connectorStatus, text string) {
	code, body := w.rest("GET", "/connectors/"+name+"/status", nil)
	if code == 200 {
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			w.t.Fatal(err)
		}
	}
	return s, body
}

// awaitState waits for the connector and at least n tasks to be in a state.
func (w *worker) awaitState(name, state string, n int) {
	w.t.Helper()
	eventually(w.t, 20*time.Second, name+" is "+state, func() (bool, string) {
		s, text := w.status(name)
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

// plugins lists the processes of the worker's plugins: every descendant whose
// program or script stands in a plugin folder.
func (w *worker) plugins(name string) []int {
	var pids []int
	for _, p := range processes() {
		if p.parentHas(w.cmd.Process.Pid) && strings.Contains(p.cmdline, name) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

type process struct {
	pid, ppid int
	cmdline   string
	table     map[int]*process
}

// parentHas tells whether pid is among the ancestors.
func (p *process) parentHas(pid int) bool {
	for q := p.table[p.ppid]; q != nil; q = q.table[q.ppid] {
		if q.pid == pid {
			return true
		}
	}
	return p.ppid == pid
}

// processes reads the process table.
func processes() map[int]*process {
	table := make(map[int]*process)
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
		ppid, _ := strconv.Atoi(fields[1])
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		table[pid] = &process{pid: pid, ppid: ppid, cmdline: strings.ReplaceAll(string(cmdline), "\x00", " "), table: table}
	}
	return table
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

// writeLines makes a file of n numbered lines of about 100 bytes.
func writeLines(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input.txt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	numberedLines(t, f, 0, n)
	return path
}

// numberedLines appends the lines from (counted from 0) up to and without to, and closes the file.
func numberedLines(t testing.TB, f *os.File, from, to int) {
	t.Helper()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := from; i < to; i++ {
		fmt.Fprintf(w, "%09d %s\n", i, lineText[:60+i%50])
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

const lineText = "the quick brown fox jumps over the lazy dog and goes on to the river, where it drinks until the sun goes down again"

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
