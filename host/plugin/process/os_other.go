//go:build !linux

package process

import (
	"os"
	"syscall"
)

// Without /proc and parent-death signals: process groups and the keep-alive pipe only, and no guard.
var guardExecutable = ""

func pluginAttributes(*cgroup) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func guardAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func applyLimits(int, Limits) {}

func narrowAffinity(float64, bool) func() { return func() {} }

// waitExited cannot look without waiting here; the caller's wait does it.
func waitExited(pid int) {
	if process, err := os.FindProcess(pid); err == nil {
		_, _ = process.Wait()
	}
}

func killGroup(pgid int, signal syscall.Signal) {
	if pgid > 1 {
		_ = syscall.Kill(-pgid, signal)
	}
}

func killProcess(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

func descendants(int) []int { return nil }

func residentBytes(int) int64 { return 0 }
