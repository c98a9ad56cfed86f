package harness

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/test/env/proc"
)

// StartCluster starts n distributed workers of one group, c.Group, with folders of their own.
func StartCluster(t testing.TB, n int, c Config) []*Worker {
	t.Helper()
	workers := make([]*Worker, n)
	for i := range workers {
		one := c
		one.Dir = t.TempDir()
		workers[i] = Start(t, one)
	}
	for _, w := range workers {
		w.AwaitJoined()
	}
	return workers
}

// WorkerID is what the worker calls itself in statuses.
func (w *Worker) WorkerID() string { return strings.TrimPrefix(w.url, "http://") }

// AwaitJoined waits until the worker has joined its cluster.
func (w *Worker) AwaitJoined() {
	w.T.Helper()
	Eventually(w.T, time.Minute, "the worker has joined", func() (bool, string) {
		status, body := w.REST("GET", "/health", nil)
		return status == 200, fmt.Sprint(status, " ", body)
	})
}

// Suspend stops the process where it is (SIGSTOP), and returns when it stands still. Resume lets it go on.
func (w *Worker) Suspend() {
	w.T.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGSTOP)
	Eventually(w.T, 10*time.Second, "the worker stands still", func() (bool, string) { return proc.Stopped(w.cmd.Process.Pid), "it runs" })
}

// Resume lets a suspended process go on.
func (w *Worker) Resume() { _ = w.cmd.Process.Signal(syscall.SIGCONT) }

// AwaitRunningOn waits until connectors and at least n tasks of each run on some of the workers, as w tells. It returns
// how many connectors and tasks each worker has.
func (w *Worker) AwaitRunningOn(within time.Duration, n int, names []string, workers ...*Worker) map[string]int {
	w.T.Helper()
	ids := make([]string, len(workers))
	for i, one := range workers {
		ids[i] = one.WorkerID()
	}
	var parts map[string]int
	Eventually(w.T, within, fmt.Sprintf("%v run on %v", names, ids), func() (bool, string) {
		parts = map[string]int{}
		for _, name := range names {
			s, text := w.Status(name)
			if s.Connector.State != "RUNNING" || !slices.Contains(ids, s.Connector.WorkerID) || len(s.Tasks) < n {
				return false, name + ": " + text
			}
			parts[s.Connector.WorkerID]++
			for _, task := range s.Tasks {
				if task.State != "RUNNING" || !slices.Contains(ids, task.WorkerID) {
					return false, name + ": " + text
				}
				parts[task.WorkerID]++
			}
		}
		return true, ""
	})
	return parts
}
