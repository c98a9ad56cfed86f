package process

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/plugin/guard"
)

// cgroupParent is the launcher's own folder in the cgroup v2 tree, below the worker's cgroup. It is nil where the tree
// is absent or not writable; every method takes nil. A cgroup gives a kill that nothing escapes (cgroup.kill, Linux
// 5.14); limits of memory and processor time come with it only where the controllers are delegated to the worker.
type cgroupParent struct {
	dir string
}

func newCgroupParent(hostID string) *cgroupParent {
	own := ownCgroup()
	if own == "" {
		return nil
	}
	dir := filepath.Join(own, "tailrace-"+hostID)
	if os.Mkdir(dir, 0o750) != nil {
		return nil
	}
	parent := &cgroupParent{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err != nil {
		parent.remove() // too old to be of use
		return nil
	}
	for _, controller := range []string{"+memory", "+cpu"} {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(controller), 0o200)
	}
	return parent
}

// ownCgroup finds the folder of this process's cgroup in the mounted v2 tree, "" when there is none.
func ownCgroup() string {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	own := ""
	for line := range strings.Lines(string(groups)) {
		if path, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			own = path
		}
	}
	mounts, err := os.Open("/proc/self/mounts")
	if own == "" || err != nil {
		return ""
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[2] == "cgroup2" {
			dir := filepath.Join(fields[1], own)
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				return dir
			}
		}
	}
	return ""
}

func (c *cgroupParent) path() string {
	if c == nil {
		return ""
	}
	return c.dir
}

func (c *cgroupParent) remove() {
	if c != nil {
		guard.RemoveCgroup(c.dir)
	}
}

// child makes the cgroup of one process, nil when that is not possible.
func (c *cgroupParent) child(marker string, limits Limits) *cgroup {
	if c == nil {
		return nil
	}
	dir := filepath.Join(c.dir, "plugin-"+marker[strings.LastIndexByte(marker, '.')+1:])
	if os.Mkdir(dir, 0o750) != nil {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		_ = os.Remove(dir)
		return nil
	}
	g := &cgroup{dir: dir, folder: folder}
	if bytes := limits.memoryBytes(); bytes > 0 {
		if g.write("memory.max", strconv.FormatInt(bytes, 10)) {
			g.write("memory.swap.max", "0")
		}
	}
	if limits.CPUs > 0 {
		const periodMicros = 100_000
		quota := strconv.Itoa(max(1000, int(limits.CPUs*periodMicros)))
		g.cpuLimited = g.write("cpu.max", quota+" "+strconv.Itoa(periodMicros))
	}
	return g
}

// cgroup holds one process and all that it starts. Nil stands for none.
type cgroup struct {
	dir        string
	folder     *os.File // open until the process is started
	cpuLimited bool
}

func (g *cgroup) write(file, value string) bool {
	return os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0o200) == nil
}

func (g *cgroup) fd() (int, bool) {
	if g == nil || g.folder == nil {
		return 0, false
	}
	return int(g.folder.Fd()), true
}

func (g *cgroup) limitsCPU() bool { return g != nil && g.cpuLimited }

func (g *cgroup) started() {
	if g != nil && g.folder != nil {
		g.folder.Close()
		g.folder = nil
	}
}

func (g *cgroup) kill() {
	if g != nil {
		guard.KillCgroup(g.dir)
	}
}

// outOfMemory reports whether the kernel killed a process for reaching memory.max. Ask before remove.
func (g *cgroup) outOfMemory() bool {
	if g == nil {
		return false
	}
	events, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	return err == nil && oomKills(string(events)) > 0
}

func oomKills(events string) int {
	for line := range strings.Lines(events) {
		if count, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
			kills, _ := strconv.Atoi(count)
			return kills
		}
	}
	return 0
}

func (g *cgroup) remove() {
	if g != nil {
		guard.RemoveCgroup(g.dir)
	}
}
