package guard

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheGuardKillsAndCleansAtEndOfFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "private")
	if err := os.MkdirAll(filepath.Join(folder, "sockets"), 0o700); err != nil {
		t.Fatal(err)
	}
	grouped := exec.CommandContext(t.Context(), "/bin/sleep", "4243")
	grouped.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	marked := exec.CommandContext(t.Context(), "/bin/sleep", "4243")
	marked.Env = []string{MarkerKey + "=test-host.7"}
	marked.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	spared := exec.CommandContext(t.Context(), "/bin/sleep", "4243")
	spared.Env = []string{MarkerKey + "=test-host2.7"}
	for _, cmd := range []*exec.Cmd{grouped, marked, spared} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		_ = spared.Process.Kill()
		_ = spared.Wait()
	}()
	run(strings.NewReader(Marker("test-host") + Group(grouped.Process.Pid) + Group(1) + "nonsense\n" + Folder(folder)))
	for _, cmd := range []*exec.Cmd{grouped, marked} {
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if spared.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("another host's process was killed")
	}
}

func TestAForgottenGroupIsSpared(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/bin/sleep", "4243")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	run(strings.NewReader(Group(cmd.Process.Pid) + Forget(cmd.Process.Pid)))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("killed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	if err := <-ended; err == nil {
		t.Error("the sleep ended by itself")
	}
}
