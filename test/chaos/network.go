package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// network is a bridge with a network namespace for each worker, or nothing when namespaces cannot be made: then
// everything is on 127.0.0.1 and no network is cut.
type network struct {
	bridge, prefix string // names of links
	subnet         string // the first three numbers of the addresses; "" without namespaces
	workers        int
}

// openNetwork makes the namespaces, and removes them with the test.
func openNetwork(t testing.TB, workers int) *network {
	t.Helper()
	pid := os.Getpid()
	n := &network{
		bridge: fmt.Sprintf("trb%d", pid), prefix: fmt.Sprintf("trc%d-", pid), workers: workers,
		subnet: fmt.Sprintf("10.%d.%d", 200+pid%50, pid/50%250),
	}
	if os.Geteuid() != 0 {
		t.Log("not root: no network is cut in this run")
		return &network{workers: workers}
	}
	removeStale()
	t.Cleanup(n.remove)
	steps := [][]string{
		{"link", "add", n.bridge, "type", "bridge"},
		{"addr", "add", n.host() + "/24", "dev", n.bridge},
		{"link", "set", n.bridge, "up"},
	}
	for i := range workers {
		ns, link := n.namespace(i), n.link(i)
		steps = append(steps,
			[]string{"netns", "add", ns},
			[]string{"link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", ns},
			[]string{"link", "set", link, "master", n.bridge, "up"},
			[]string{"-n", ns, "addr", "add", n.address(i) + "/24", "dev", "eth0"},
			[]string{"-n", ns, "link", "set", "eth0", "up"},
			[]string{"-n", ns, "link", "set", "lo", "up"})
	}
	for _, step := range steps {
		if err := ip(step...); err != nil {
			t.Logf("no network namespaces here, so no network is cut in this run: %v", err)
			n.remove()
			return &network{workers: workers}
		}
	}
	return n
}

func (n *network) cuttable() bool { return n.subnet != "" }

// host is the address of the broker, reached by every worker.
func (n *network) host() string {
	if !n.cuttable() {
		return "127.0.0.1"
	}
	return n.subnet + ".1"
}

// address is that of a worker.
func (n *network) address(worker int) string {
	if !n.cuttable() {
		return "127.0.0.1"
	}
	return n.subnet + "." + strconv.Itoa(10+worker)
}

// command puts a program into a worker's namespace. The program's process id is that of the command.
func (n *network) command(worker int, argv ...string) []string {
	if !n.cuttable() {
		return argv
	}
	return append([]string{"ip", "netns", "exec", n.namespace(worker)}, argv...)
}

// cut takes a worker's cable out of the bridge: packets are lost without a word, connections stay open.
func (n *network) cut(worker int) error { return ip("link", "set", n.link(worker), "nomaster") }

// mend puts it back.
func (n *network) mend(worker int) error {
	return ip("link", "set", n.link(worker), "master", n.bridge)
}

func (n *network) namespace(worker int) string { return n.prefix + strconv.Itoa(worker) }
func (n *network) link(worker int) string      { return n.prefix + strconv.Itoa(worker) }

func (n *network) remove() {
	for i := range n.workers {
		_ = ip("netns", "del", n.namespace(i))
		_ = ip("link", "del", n.link(i))
	}
	_ = ip("link", "del", n.bridge)
}

// removeStale removes what runs that were killed have left behind.
func removeStale() {
	out, err := exec.CommandContext(context.Background(), "ip", "netns", "list").Output()
	if err != nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, "trc")
		pid, _, _ := strings.Cut(rest, "-")
		if _, err := os.Stat("/proc/" + pid); !ours || err == nil {
			continue
		}
		_ = ip("netns", "del", name)
		_ = ip("link", "del", "trb"+pid)
	}
}

func ip(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
