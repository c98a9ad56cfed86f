package connecttest

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// process checks the program itself.
func (c *conformance) process(t *testing.T) {
	t.Run("without the cookie", func(t *testing.T) {
		proc, line := c.program.start(t, false)
		if err := proc.exited(waitTimeout); err != nil {
			t.Fatal(err)
		}
		if proc.cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("started by a person it ends with status %d, want 1", proc.cmd.ProcessState.ExitCode())
		}
		if line != "" {
			t.Errorf("started by a person it printed %q to standard output", line)
		}
		if proc.output() == "" {
			t.Error("started by a person it gives no hint on standard error")
		}
	})
	t.Run("keep-alive", func(t *testing.T) {
		began := time.Now()
		in := c.target.launch(t)
		t.Logf("started in %s, %d KiB resident", time.Since(began).Round(time.Millisecond), residentKiB(in.proc.cmd.Process.Pid))
		_ = in.proc.keepAlive.Close()
		if err := in.proc.exited(time.Second); err != nil { // I-10
			t.Errorf("after the end of the keep-alive pipe: %v", err)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		in := c.target.launch(t)
		h, err := healthv1.NewHealthClient(in.conn).Check(callContext(t), &healthv1.HealthCheckRequest{Service: "plugin"})
		if err != nil || h.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of \"plugin\": %v %v", h.GetStatus(), err)
		}
		if err := in.shutdown(callContext(t)); err != nil && status.Code(err) != codes.Unavailable {
			t.Errorf("Shutdown: %v", err)
		}
		if err := in.proc.exited(2 * time.Second); err != nil {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}

// residentKiB is the memory of a process, 0 where the system does not tell.
func residentKiB(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(b, []byte("\n")) {
		var n int
		if _, err := fmt.Sscanf(string(line), "VmRSS: %d kB", &n); err == nil {
			return n
		}
	}
	return 0
}
