package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// terminal is a user at a prompt who talks to one worker.
type terminal struct {
	t   *testing.T
	dir string // the current folder
	env []string
}

func at(t *testing.T, url string) *terminal {
	dir := t.TempDir()
	return &terminal{t: t, dir: dir, env: append(os.Environ(), "TAILRACE_SERVER="+url, "XDG_CONFIG_HOME="+dir)}
}

func (u *terminal) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(harness.Binaries(u.t), "tailrace"), args...)
	cmd.Dir, cmd.Env = u.dir, u.env
	return cmd
}

// types runs a command and returns what it printed and its status.
func (u *terminal) types(args ...string) (out, problem string, status int) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	cmd := u.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// gets runs a command that must work.
func (u *terminal) gets(args ...string) string {
	u.t.Helper()
	out, problem, status := u.types(args...)
	require.Equal(u.t, 0, status, "tailrace %s\n%s%s", strings.Join(args, " "), out, problem)
	return out
}

// fails runs a command that must end with a status, and returns the error's text.
func (u *terminal) fails(status int, args ...string) string {
	u.t.Helper()
	out, problem, got := u.types(args...)
	require.Equal(u.t, status, got, "tailrace %s\n%s%s", strings.Join(args, " "), out, problem)
	return problem
}

func (u *terminal) write(name, text string) string {
	u.t.Helper()
	file := filepath.Join(u.dir, name)
	require.NoError(u.t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(u.t, os.WriteFile(file, []byte(text), 0o700)) // editors are scripts
	return file
}

// lifecycle takes the connector lines-in through its life; both kinds of workers must behave alike.
func lifecycle(u *terminal) {
	t := u.t
	require.Contains(t, u.gets("connector", "list"), "lines-in")
	require.Contains(t, u.gets("connector", "get", "lines-in"), "FileStreamSource")
	require.Equal(t, "lines-in\n:4\n", u.gets("__complete", "connector", "pause", ""))

	u.gets("connector", "pause", "lines-in", "--wait", "20s")
	require.Contains(t, u.gets("connector", "status", "lines-in"), "PAUSED")
	require.Contains(t, u.gets("doctor"), "it is PAUSED")
	u.gets("connector", "resume", "lines-in", "--wait", "20s")
	u.gets("connector", "restart", "lines-in", "--include-tasks", "--wait", "20s")
	u.gets("connector", "restart", "lines-in", "--include-tasks", "--only-failed", "--wait", "20s")
	u.gets("connector", "restart", "lines-in", "--task", "0", "--wait", "20s")

	var states []struct {
		Name      string
		Connector struct{ State string }
		Tasks     []struct{ State string }
	}
	require.NoError(t, json.Unmarshal([]byte(u.gets("connector", "status", "-o", "json")), &states))
	require.Len(t, states, 1)
	require.Equal(t, "RUNNING", states[0].Tasks[0].State)

	require.Contains(t, u.fails(5, "connector", "offsets", "reset", "lines-in"), "tailrace connector stop lines-in")
	u.gets("connector", "stop", "lines-in", "--wait", "20s")
	const partition = `{"filename":"/nowhere"}`
	u.gets("connector", "offsets", "set", "lines-in", "--partition", partition, "--offset", `{"position":7}`)
	require.Contains(t, u.gets("connector", "offsets", "get", "lines-in"), `{"position":7}`)
	u.gets("connector", "offsets", "reset", "lines-in")
	require.NotContains(t, u.gets("connector", "offsets", "get", "lines-in"), "position")

	require.Contains(t, u.gets("plugin", "list", "--server", u.server()), "FileStreamSinkConnector")
	require.Contains(t, u.gets("plugin", "describe", "FileStreamSource", "--server", u.server()), "tasks.max  (int, default 1)")

	u.gets("connector", "delete", "lines-in")
	require.Contains(t, u.fails(3, "connector", "get", "lines-in"), "not found")
	require.NotContains(t, u.gets("connector", "list"), "lines-in")
}

func (u *terminal) server() string {
	for _, e := range u.env {
		if url, ok := strings.CutPrefix(e, "TAILRACE_SERVER="); ok {
			return url
		}
	}
	return ""
}

func (u *terminal) createLines() {
	u.t.Helper()
	// The topic is created by the worker: the brokers of the tests may not do it by themselves, and a send would block.
	u.gets("connector", "create", "lines-in", "connector.class=FileStreamSource", "topic="+env.Name(u.t),
		"topic.creation.default.partitions=1", "topic.creation.default.replication.factor=1",
		"file="+u.write("in.txt", "one\n"), "--wait", "30s")
	require.Contains(u.t, u.fails(6, "connector", "create", "lines-in", "connector.class=FileStreamSource", "topic=t"), "already exists")
}

func tailrace(t *testing.T) *terminal {
	t.Helper()
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{DataDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return at(t, harness.Start(t, harness.Config{Bootstrap: broker.Addr()}).URL())
}

func TestTailraceIsManaged(t *testing.T) {
	u := tailrace(t)
	u.createLines()
	lifecycle(u)
}

func TestKafkaConnectIsManaged(t *testing.T) {
	worker := env.ConnectWorker(t, server.ConnectOptions{Bootstrap: env.Kafka(t).Bootstrap})
	u := at(t, worker.URL())
	u.createLines()
	lifecycle(u)
}

func TestAFolderIsAppliedWholeOrNotAtAll(t *testing.T) {
	u := tailrace(t)
	u.write("c/in.properties", "name=in\nconnector.class=file-source\nfile=in.txt\ntopic=t\nmy.password=geheim\n")
	u.write("c/out.json", `{"name":"out","config":{"connector.class":"file-sink","file":"out.txt","topics":"t","tasks.max":"x"}}`)
	u.write("c/readme.md", "no connector")
	for _, problem := range []string{u.fails(5, "connector", "validate", "-f", "c"), u.fails(5, "connector", "apply", "-f", "c")} {
		require.NotContains(t, problem, "geheim") // I-9
	}
	require.NotContains(t, u.gets("connector", "list"), "file-source", "nothing was changed")

	u.write("c/out.json", `{"connector.class":"file-sink","file":"out.txt","topics":"t","name":"out"}`)
	require.Contains(t, u.gets("connector", "apply", "-f", "c", "--dry-run"), "nothing was changed")
	require.Equal(t, "[]\n", u.gets("connector", "list", "-o", "json"))
	u.gets("connector", "apply", "-f", "c", "--wait", "30s")
	require.Empty(t, u.gets("connector", "diff", "-f", "c"))
	require.Equal(t, 2, strings.Count(u.gets("connector", "apply", "-f", "c"), "unchanged"))

	u.write("c/in.properties", "name=in\nconnector.class=file-source\nfile=in.txt\ntopic=t\nmy.password=anders\nbatch.size=10\n")
	diff, _, status := u.types("connector", "diff", "-f", "c")
	require.Equal(t, 7, status)
	require.Equal(t, "in (c/in.properties): update\n  + batch.size=10\n  - my.password=[hidden]\n  + my.password=[hidden]\n", diff)
	u.gets("connector", "apply", "-f", "c")

	for _, form := range []string{"table", "json", "yaml"} {
		require.NotContains(t, u.gets("connector", "get", "in", "-o", form), "anders") // I-9
	}
	require.Contains(t, u.gets("connector", "get", "in", "-o", "json", "--show-secrets"), "anders")

	editor := u.write("editor", "#!/bin/sh\nsed -i 's/\"batch.size\": \"10\"/\"batch.size\": \"20\"/' \"$1\"\n")
	u.env = append(u.env, "VISUAL="+editor)
	u.gets("connector", "edit", "in")
	shown := u.gets("connector", "get", "in", "-o", "json", "--show-secrets")
	require.Contains(t, shown, `"batch.size": "20"`)
	require.Contains(t, shown, "anders", "a hidden secret stays")
	require.Contains(t, u.gets("connector", "edit", "in"), "nothing was changed")
	u.write("editor", "#!/bin/sh\nsed -i 's/\"batch.size\": \"20\"/\"batch.size\": \"x\"/' \"$1\"\n")
	problem := u.fails(5, "connector", "edit", "in")
	_, kept, _ := strings.Cut(problem, "your text is in ")
	require.NotContains(t, problem, "anders") // I-9
	text, err := os.ReadFile(strings.TrimSpace(kept))
	require.NoError(t, err)
	require.NotContains(t, string(text), "anders") // I-9
	require.NoError(t, os.Remove(strings.TrimSpace(kept)))
}

func TestAWatchTellsOfChangesUntilItIsEnded(t *testing.T) {
	u := tailrace(t)
	u.createLines()
	var out screen
	cmd := u.command(t.Context(), "connector", "status", "lines-in", "--watch", "--interval", "100ms")
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	saw := func(text string) {
		harness.Eventually(t, 20*time.Second, text+" is shown", func() (bool, string) { return strings.Contains(out.String(), text), out.String() })
	}
	saw("RUNNING")
	u.gets("connector", "pause", "lines-in")
	saw("PAUSED")
	require.Contains(t, u.gets("connector", "logs", "lines-in"), `task state changed state="RUNNING"`)
	require.Contains(t, u.gets("worker", "list"), strings.TrimPrefix(u.server(), "http://"))
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.NoError(t, cmd.Wait(), "ending a watch is no failure")
	require.NotContains(t, out.String(), "\x1b", "only a terminal is drawn anew")
}

func TestAWorkerThatIsGoneIsToldByEveryCommand(t *testing.T) {
	u := at(t, "http://127.0.0.1:1")
	require.Contains(t, u.fails(4, "connector", "list"), "no answer from http://127.0.0.1:1")
	out, _, status := u.types("doctor")
	require.Equal(t, 7, status)
	require.Contains(t, out, "fix: check that a worker runs there")
}
