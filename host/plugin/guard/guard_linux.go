package guard

import (
	"bufio"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sweepTimeout bounds the killing after the host's death; I-10 promises one second in all.
const sweepTimeout = 900 * time.Millisecond

func init() {
	if len(os.Args) > 0 && os.Args[0] == Arg0 {
		run(os.Stdin)
		os.Exit(0) //nolint:forbidigo // this init is the guard's main
	}
}

// charge is what the guard has to clean up once the host is gone.
type charge struct {
	groups  map[int]struct{}
	cgroups []string
	folders []string
	hostID  string
}

func run(pipe io.Reader) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	charge := charge{groups: make(map[int]struct{})}
	lines := bufio.NewReaderSize(pipe, 512)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // I-10: end of file means that the host is gone.
		}
		charge.note(strings.TrimSuffix(line, "\n"))
	}
	charge.discharge()
}

func (c *charge) note(line string) {
	op, argument, _ := strings.Cut(line, " ")
	switch op {
	case opGroup, opForget:
		pgid, err := strconv.Atoi(argument)
		if err != nil || pgid <= 1 {
			return
		}
		if op == opGroup {
			c.groups[pgid] = struct{}{}
		} else {
			delete(c.groups, pgid)
		}
	case opCgroup:
		c.cgroups = append(c.cgroups, argument)
	case opFolder:
		c.folders = append(c.folders, argument)
	case opEveryMarker:
		c.hostID = argument
	}
}

func (c *charge) discharge() {
	for pgid := range c.groups {
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
	}
	for _, dir := range c.cgroups {
		KillCgroup(dir)
	}
	if c.hostID != "" {
		SweepMarked(MarkerKey+"="+c.hostID+".", time.Now().Add(sweepTimeout))
	}
	for _, dir := range c.cgroups {
		RemoveCgroup(dir)
	}
	for _, dir := range c.folders {
		_ = os.RemoveAll(dir)
	}
}

// KillCgroup kills every process in the cgroup folder and those below it (Linux 5.14 and later).
func KillCgroup(dir string) {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0o200)
}

// RemoveCgroup removes the cgroup folder and those below it. A cgroup whose processes are still ending refuses; it is
// tried for a short time.
func RemoveCgroup(dir string) {
	for range 20 {
		children, _ := os.ReadDir(dir)
		for _, child := range children {
			if child.IsDir() {
				_ = syscall.Rmdir(filepath.Join(dir, child.Name()))
			}
		}
		if err := syscall.Rmdir(dir); err == nil || err == syscall.ENOENT {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// SweepMarked kills every process whose environment holds an entry that starts with prefix, and looks again until two
// looks in a row find none or the deadline has passed: a process may fork between the look and the kill, and one in the
// middle of an exec shows no environment. It returns the number of kills.
func SweepMarked(prefix string, deadline time.Time) int {
	killed, clean := 0, 0
	for {
		found := Marked(prefix)
		if len(found) == 0 {
			clean++
		} else {
			clean = 0
		}
		for _, pid := range found {
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
		if clean == 2 || !time.Now().Before(deadline) {
			return killed
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Marked lists the living processes whose environment holds an entry that starts with prefix. It sees what the kernel
// lets it see: processes of the same user that did not clear their environment. Zombies have no environment.
func Marked(prefix string) []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	self := os.Getpid()
	var found []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == self {
			continue
		}
		environment, err := os.ReadFile("/proc/" + name + "/environ")
		if err == nil && holds(environment, prefix) {
			found = append(found, pid)
		}
	}
	return found
}

func holds(environment []byte, prefix string) bool {
	text := string(environment)
	return strings.HasPrefix(text, prefix) || strings.Contains(text, "\x00"+prefix)
}
