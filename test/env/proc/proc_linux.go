package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// clockTick is the unit of the times in /proc/<pid>/stat: USER_HZ is 100 on every Linux architecture Go runs on.
const clockTick = 10 * time.Millisecond

// stat is what one line of /proc/<pid>/stat tells about a process (see proc(5)).
type stat struct {
	pid    int
	parent int
	state  byte // R, S, D, T (stopped), Z (dead, not yet waited for) …

	own      time.Duration // user and system time of all threads, ended ones included
	children time.Duration // the same of children that ended and were waited for, and of theirs
}

func readStat(pid int) (stat, error) { return readStatFile(fmt.Sprintf("/proc/%d/stat", pid)) }

func readStatFile(name string) (stat, error) {
	line, err := os.ReadFile(name)
	if err != nil {
		return stat{}, err
	}
	return parseStat(line)
}

// parseStat reads "pid (name) state ppid …". The name may hold spaces and brackets, so fields are counted from the
// last closing bracket.
func parseStat(line []byte) (stat, error) {
	end := bytes.LastIndexByte(line, ')')
	open := bytes.IndexByte(line, '(')
	if open < 1 || end < open {
		return stat{}, fmt.Errorf("process status %q: no name in brackets", line)
	}
	fields := bytes.Fields(line[end+1:]) // fields[0] is field 3 of proc(5)
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("process status %q: %d fields after the name, want at least 15", line, len(fields))
	}

	var err error
	number := func(text []byte) int64 {
		n, parseErr := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("process status %q: %w", line, parseErr)
		}
		return n
	}
	s := stat{
		pid:      int(number(line[:open])),
		state:    fields[0][0],
		parent:   int(number(fields[1])),
		own:      time.Duration(number(fields[11])+number(fields[12])) * clockTick,
		children: time.Duration(number(fields[13])+number(fields[14])) * clockTick,
	}
	return s, err
}

// Alive tells whether the process exists and has not ended. A stopped process is alive; a zombie is not.
func Alive(pid int) bool {
	s, err := readStat(pid)
	return err == nil && s.state != 'Z' && s.state != 'X'
}

// Stopped tells whether every thread of the process stands still (SIGSTOP). The signal is on its way for a moment, and threads
// on other processors run on meanwhile.
func Stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, name := range threads {
		if s, err := readStatFile(name); err != nil || s.state != 'T' {
			return false
		}
	}
	return true
}

// Tree returns root and all its living descendants, root first. A process whose parent has died has left the tree:
// it is missing here, unless the parent is a subreaper.
func Tree(root int) []int {
	all := snapshot()
	children := make(map[int][]int, len(all))
	for pid, s := range all {
		children[s.parent] = append(children[s.parent], pid)
	}
	if _, ok := all[root]; !ok {
		return nil
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

func snapshot() map[int]stat {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := make(map[int]stat, len(entries))
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil { // a process may end while we read
			all[pid] = s
		}
	}
	return all
}

// CPU returns the processor time used so far by root, its living descendants, and every descendant that has ended and
// was waited for. What a descendant used is counted once: an ended process is found in its parent's children time.
func CPU(root int) time.Duration {
	var sum time.Duration
	for _, pid := range Tree(root) {
		if s, err := readStat(pid); err == nil {
			sum += s.own + s.children
		}
	}
	return sum
}

// RSS returns the resident memory of one process in bytes: now, and the highest it ever was.
func RSS(pid int) (current, peak int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var into *int64
		switch string(name) {
		case "VmRSS":
			into = &current
		case "VmHWM":
			into = &peak
		default:
			continue
		}
		fields := bytes.Fields(value) // "123456 kB"
		if len(fields) == 2 {
			kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			*into = kib * 1024
		}
	}
	return current, peak
}

// Own returns the processor time that one process has used so far, its children not included; 0 when it is gone.
func Own(pid int) time.Duration {
	s, err := readStat(pid)
	if err != nil {
		return 0
	}
	return s.own
}
