package plugin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/host/plugin/guard"
	"github.com/tailrace/tailrace/host/plugin/process"
)

// hostileBinary is testdata/hostile, built once for all tests.
var hostileBinary string

func TestMain(m *testing.M) {
	if os.Getenv("PLUGIN_TEST_HOST") != "" {
		hostMain() // this process is the host that a test will kill
		return
	}
	folder, err := os.MkdirTemp("", "hostile-")
	if err != nil {
		panic(err)
	}
	hostileBinary = filepath.Join(folder, "hostile")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", hostileBinary, "./testdata/hostile")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build testdata/hostile: %v\n%s", err, output)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}))
}

// shortTimeouts keep the tests of hanging plugins short, and leave room for a busy machine.
var shortTimeouts = Timeouts{
	Handshake: 5 * time.Second, Describe: 2 * time.Second, Validate: 2 * time.Second, Start: 2 * time.Second,
	Answer: 2 * time.Second, Send: 2 * time.Second, Ping: 2 * time.Second, Shutdown: time.Second, Term: 300 * time.Millisecond,
}

// patientTimeouts are for plugins that something else than a time-out must end, such as a limit of memory: on a busy machine
// that needs a while.
var patientTimeouts = Timeouts{
	Handshake: 5 * time.Second, Describe: 30 * time.Second, Validate: 30 * time.Second, Start: 30 * time.Second,
	Answer: 30 * time.Second, Send: 30 * time.Second, Ping: 30 * time.Second, Shutdown: time.Second, Term: 300 * time.Millisecond,
}

// patientBound is the bound of calls with patientTimeouts.
const patientBound = 40 * time.Second

// bound is the time within which every call on a hostile plugin must have an outcome.
const bound = 8 * time.Second

// syncBuffer collects log lines from many goroutines.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buffer.Len() < 4<<20 {
		b.buffer.Write(p)
	}
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// testHost is a Host whose processes can be found.
type testHost struct {
	*Host
	t    testing.TB
	tag  string
	logs *syncBuffer
}

var tags atomic.Int64

func newTestHost(t testing.TB, timeouts Timeouts, options ...func(*process.LauncherOptions)) *testHost {
	t.Helper()
	h := &testHost{t: t, tag: fmt.Sprintf("%d-%d", os.Getpid(), tags.Add(1)), logs: &syncBuffer{}}
	launcher := process.LauncherOptions{}
	for _, option := range options {
		option(&launcher)
	}
	host, err := NewHost(HostOptions{
		Logger: slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test", Timeouts: timeouts, Launcher: launcher,
	})
	require.NoError(t, err)
	h.Host = host
	t.Cleanup(func() {
		require.NoError(t, host.Close())
		h.requireNoProcess()
		if t.Failed() {
			text := h.logs.String()
			t.Logf("log of the host:\n%s", text[:min(len(text), 4000)])
		}
	})
	return h
}

// processes lists what runs of this host's plugins, forked and detached children included.
func (h *testHost) processes() []int { return guard.Marked("HOSTILE_TAG=" + h.tag + "\x00") }

func (h *testHost) requireNoProcess() {
	h.t.Helper()
	require.Eventually(h.t, func() bool { return len(h.processes()) == 0 }, time.Second, 10*time.Millisecond,
		"I-10: processes are left: %s", describeProcesses(h.processes()))
}

func describeProcesses(pids []int) string {
	var text strings.Builder
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(&text, "%d %q; ", pid, strings.ReplaceAll(string(line), "\x00", " "))
	}
	return text.String()
}

func (h *testHost) plugin(env map[string]string) *Plugin {
	all := map[string]string{"HOSTILE_TAG": h.tag}
	for key, value := range env {
		all[key] = value
	}
	return &Plugin{
		Program:     Program{Path: hostileBinary, Name: "hostile", Command: hostileBinary, Env: all, Checksum: fmt.Sprint(all)},
		Description: Description{Name: "hostile", Version: "1.0.0"},
	}
}

// acquire starts the hostile plugin with a script in its environment.
func (h *testHost) acquire(connector, script string) (*Instance, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return h.Acquire(ctx, Launch{
		Plugin: h.plugin(map[string]string{"HOSTILE": script}), Connector: connector, Task: NoTask,
		Limits: process.Limits{MemoryBytes: 200 << 20},
		Mask:   func(line string) string { return strings.ReplaceAll(line, "hunter2", "****") },
	})
}

// within fails the test when f takes longer than the bound.
func within(t testing.TB, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		require.FailNow(t, "no outcome in time", "limit %s", limit)
	}
}
