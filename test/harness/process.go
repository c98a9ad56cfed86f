package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Plugins lists the processes of the worker's plugins: every descendant whose
// program or script stands in a plugin folder.
func (w *Worker) Plugins(name string) []int {
	var pids []int
	for _, p := range Processes() {
		if p.parentHas(w.PID()) && strings.Contains(p.Cmdline, name) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// Process is an entry of the process table.
type Process struct {
	PID     int
	Cmdline string // with spaces between the arguments

	ppid  int
	table map[int]*Process
}

// parentHas tells whether pid is among the ancestors.
func (p *Process) parentHas(pid int) bool {
	for q := p.table[p.ppid]; q != nil; q = q.table[q.ppid] {
		if q.PID == pid {
			return true
		}
	}
	return p.ppid == pid
}

// Processes reads the process table.
func Processes() map[int]*Process {
	table := make(map[int]*Process)
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
		table[pid] = &Process{PID: pid, ppid: ppid, Cmdline: strings.ReplaceAll(string(cmdline), "\x00", " "), table: table}
	}
	return table
}

// Descendants lists the processes below one.
func Descendants(pid int) (pids []int) {
	for _, p := range Processes() {
		if p.parentHas(pid) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// OnlyProcess waits until a plugin has one process: one that answered a
// validation stays for a while, in case of another.
func (w *Worker) OnlyProcess(name string) (pid int) {
	w.T.Helper()
	Eventually(w.T, 30*time.Second, name+" has one process", func() (bool, string) {
		now := w.Plugins(name)
		if len(now) == 1 {
			pid = now[0]
		}
		return len(now) == 1, fmt.Sprint(now)
	})
	return pid
}

// KillAndRecover kills the processes of a plugin with SIGKILL and returns how long
// it took until another process was there and the task RUNNING; above limit the test fails.
func (w *Worker) KillAndRecover(plugin, connector string, limit time.Duration) time.Duration {
	w.T.Helper()
	pid := w.PID()
	before := w.Plugins(plugin)
	if len(before) == 0 {
		w.T.Fatalf("no %s process is running", plugin)
	}
	for _, victim := range before {
		if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
			w.T.Fatal(err)
		}
	}
	start := time.Now()
	Eventually(w.T, limit+10*time.Second, plugin+" is back", func() (bool, string) {
		now := w.Plugins(plugin)
		fresh := slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(before, pid) })
		s, text := w.Status(connector)
		return fresh && len(s.Tasks) == 1 && s.Tasks[0].State == "RUNNING", fmt.Sprint(now, " ", text)
	})
	took := time.Since(start)
	if took > limit {
		w.T.Errorf("recovery of %s took %v, want at most %v (I-10)", plugin, took, limit)
	}
	if !w.Running() || w.PID() != pid {
		w.T.Fatal("the worker did not survive its plugin")
	}
	return took
}
