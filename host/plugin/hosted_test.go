package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/plugin/guard"
	"github.com/tailrace/tailrace/host/plugin/process"
)

// hostMain is a host process of its own: it starts the hostile plugin, tells that, and waits to be killed.
func hostMain() {
	host, err := NewHost(HostOptions{
		Logger: slog.New(slog.DiscardHandler), Timeouts: shortTimeouts,
		Launcher: process.LauncherOptions{DisableCgroups: os.Getenv("PLUGIN_TEST_NO_CGROUPS") != ""},
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for i := range 3 {
		_, err = host.Acquire(context.Background(), Launch{
			Plugin: &Plugin{
				Program: Program{Path: os.Getenv("PLUGIN_TEST_HOST"), Command: os.Getenv("PLUGIN_TEST_HOST"), Env: map[string]string{
					"HOSTILE": "start=" + os.Getenv("PLUGIN_TEST_START"), "HOSTILE_TAG": os.Getenv("PLUGIN_TEST_TAG"), "HOSTILE_IGNORE_KEEPALIVE": "1",
				}},
				Description: Description{Name: "hostile"},
			},
			Connector: fmt.Sprint("c", i), Task: NoTask,
		})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	fmt.Println("ready")
	select {}
}

// I-10: when the host dies, its plugins are gone within a second, forked and detached children included.
func TestNoPluginProcessIsLeftOneSecondAfterTheHostWasKilled(t *testing.T) {
	for _, start := range []string{"", "fork", "detach"} {
		for _, cgroups := range []string{"", "no-cgroups"} {
			t.Run("start="+start+" "+cgroups, func(t *testing.T) {
				tag := fmt.Sprintf("kill-%d-%s%s", os.Getpid(), start, cgroups)
				host := exec.CommandContext(t.Context(), os.Args[0])
				host.Env = append(os.Environ(), "PLUGIN_TEST_HOST="+hostileBinary, "PLUGIN_TEST_START="+start,
					"PLUGIN_TEST_TAG="+tag, "PLUGIN_TEST_NO_CGROUPS="+cgroups)
				output, err := host.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, host.Start())
				line := make([]byte, 200)
				n, err := output.Read(line)
				require.NoError(t, err)
				require.Equal(t, "ready", strings.TrimSpace(string(line[:n])))
				marker := "HOSTILE_TAG=" + tag + "\x00"
				want := 3
				if start != "" {
					want = 6
				}
				require.Eventually(t, func() bool { return len(guard.Marked(marker)) == want }, 3*time.Second, 10*time.Millisecond,
					"%s", describeProcesses(guard.Marked(marker)))

				require.NoError(t, host.Process.Signal(syscall.SIGKILL))
				killed := time.Now()
				_ = host.Wait()
				require.Eventually(t, func() bool { return len(guard.Marked(marker)) == 0 }, time.Second, 5*time.Millisecond,
					"%s", describeProcesses(guard.Marked(marker)))
				t.Logf("all gone after %s", time.Since(killed).Round(time.Millisecond))
			})
		}
	}
}

// The parent-death signal is that of a thread: it must not kill plugins when the Go runtime ends the thread that happened
// to start them.
func TestPluginsOutliveTheGoroutineThatStartedThem(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	started := make(chan *Instance)
	go func() {
		instance, err := h.acquire("c", "")
		if err != nil {
			t.Error(err)
		}
		started <- instance
	}()
	instance := <-started
	require.NotNil(t, instance)
	select {
	case <-instance.Done():
		t.Fatalf("the plugin %s", instance.Exit().Error())
	case <-time.After(300 * time.Millisecond):
	}
	require.NoError(t, instance.Ping(context.Background()))
	instance.Release()
	require.True(t, instance.Exit().Expected())
}

func TestStartsThatFailSayWhy(t *testing.T) {
	cases := []struct {
		script string
		want   string
	}{
		{"start=hang", "printed no handshake line within"},
		{"start=exit", "exited with status 3"},
		{"start=kill", "killed by signal killed"},
		{"start=fail", "exited with status 1"},
		{"start=panic", "panic in start"},
		{"start=memory", "its limit is 200 MiB"},
		{"handshake=mute", "printed no handshake line within"},
		{"handshake=close", "closed its stdout"},
		{"handshake=version", "speaks version 7 of the plugin protocol"},
		{"handshake=core", "incompatible core API version"},
		{"handshake=tcp", "must listen on a unix socket"},
		{"handshake=elsewhere", "not in PLUGIN_UNIX_SOCKET_DIR"},
		{"handshake=netrpc", "unsupported plugin protocol"},
		{"start=garbage", "not in PLUGIN_UNIX_SOCKET_DIR"},
		{"start=flood", "printed more than 1024 KiB on stdout"},
	}
	timeouts := shortTimeouts
	timeouts.Handshake = 3 * time.Second
	for _, c := range cases {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t, timeouts)
			within(t, bound, func() {
				_, err := h.acquire("c", c.script)
				require.ErrorContains(t, err, c.want)
			})
			h.requireNoProcess()
		})
	}
}

func TestStartsWithNoiseAndChildrenSucceedAndLeaveNothing(t *testing.T) {
	for _, script := range []string{"start=handshake-garbage", "start=fork", "start=detach", "handshake=late"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t, shortTimeouts)
			within(t, bound, func() {
				instance, err := h.acquire("c", script)
				require.NoError(t, err)
				_, err = instance.Describe(context.Background())
				require.NoError(t, err)
				instance.Release()
			})
			h.requireNoProcess()
			require.NotContains(t, h.logs.String(), "hunter2", "I-9: output is masked")
		})
	}
}

func TestAPluginSeesOnlyWhatItIsGranted(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "do-not-leak")
	h := newTestHost(t, shortTimeouts)
	instance, err := h.acquire("c", "")
	require.NoError(t, err)
	defer instance.Release()
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", instance.PID()))
	require.NoError(t, err)
	allowed := map[string]bool{
		"GOMEMLIMIT": true, "HOSTILE": true, "HOSTILE_TAG": true, "PLUGIN_MAX_PORT": true, "PLUGIN_MIN_PORT": true,
		"PLUGIN_PROTOCOL_VERSIONS": true, "PLUGIN_UNIX_SOCKET_DIR": true, "TAILRACE_KEEPALIVE_FD": true,
		"TAILRACE_PLUGIN": true, guard.MarkerKey: true,
	}
	for _, key := range process.Inherited {
		allowed[key] = true
	}
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(environment), "\x00"), "\x00") {
		key, _, _ := strings.Cut(entry, "=")
		require.True(t, allowed[key], "I-9: %s is in the plugin's environment", key)
	}
	stdin, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", instance.PID()))
	require.NoError(t, err)
	require.Equal(t, "/dev/null", stdin)
}

func TestCloseEscalatesFromShutdownToSignalsToKill(t *testing.T) {
	for _, script := range []string{"", "shutdown=hang", "shutdown=fail", "shutdown=exit", "shutdown=fork", "shutdown=detach", "shutdown=flood", "shutdown=garbage", "serve=mute"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			h := newTestHost(t, shortTimeouts)
			instance, err := h.acquire("c", script)
			require.NoError(t, err)
			within(t, bound, func() { require.True(t, instance.Close(context.Background()).Expected()) })
			h.requireNoProcess()
		})
	}
}

func TestProcessesAreSharedByTheIsolationMode(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	plugin := h.plugin(nil)
	acquire := func(connector string, task int, isolation Isolation, env map[string]string) *Instance {
		instance, err := h.Acquire(context.Background(), Launch{Plugin: plugin, Connector: connector, Task: task, Isolation: isolation, Env: env})
		require.NoError(t, err)
		return instance
	}
	a := acquire("a", NoTask, IsolateConnector, nil)
	require.Same(t, a, acquire("a", 0, IsolateConnector, nil))
	require.NotSame(t, a, acquire("b", NoTask, IsolateConnector, nil))

	require.NotSame(t, acquire("a", 0, IsolateTask, nil), acquire("a", 1, IsolateTask, nil))

	shared := acquire("a", NoTask, IsolatePlugin, nil)
	require.Same(t, shared, acquire("b", 3, IsolatePlugin, nil))
	require.NotSame(t, shared, acquire("b", 3, IsolatePlugin, map[string]string{"SECRET": "b"}), "I-9: grants are not shared")

	a.Release()
	require.NoError(t, a.Ping(context.Background()), "one user is left")
	a.Release()
	<-a.Done()
	require.NotSame(t, a, acquire("a", NoTask, IsolateConnector, nil))

	shared.Kill()
	<-shared.Done()
	require.NotSame(t, shared, acquire("a", NoTask, IsolatePlugin, nil), "a dead process is not handed out again")
}
