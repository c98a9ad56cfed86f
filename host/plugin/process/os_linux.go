package process

import (
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// guardExecutable is this program, also when its file has been replaced since the start.
var guardExecutable = "/proc/self/exe"

// dataSlackBytes is added to the memory limit for RLIMIT_DATA, which counts what is mapped and not what is used: a Go
// program maps its heap in pieces of 64 MiB, a JVM maps metaspace and code cache. RLIMIT_AS is of no use for them.
const dataSlackBytes = 512 << 20

// pluginOOMScore makes the kernel choose a plugin before the worker when the machine runs out of memory.
const pluginOOMScore = "500"

func pluginAttributes(cgroup *cgroup) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{
		Setpgid:   true,            // the group is what gets killed
		Pdeathsig: syscall.SIGKILL, // I-10; see starter
	}
	if fd, ok := cgroup.fd(); ok {
		attributes.UseCgroupFD, attributes.CgroupFD = true, fd
	}
	return attributes
}

// guardAttributes: a session of its own, so that neither the terminal nor a kill of the worker's group reaches it, and
// no parent-death signal.
func guardAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// applyLimits sets the limits of a process that was just started; what it forks later inherits them.
func applyLimits(pid int, limits Limits) {
	if bytes := limits.memoryBytes(); bytes > 0 {
		value := uint64(bytes + dataSlackBytes)
		_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: value, Max: value}, nil)
	}
	// A core file would put secrets on the disk (I-9).
	_ = unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte(pluginOOMScore), 0o600)
}

// narrowAffinity lets the calling thread, and with it the children it forks, run on as many processors as the limit
// says, rounded up. It returns how to undo it. The runtimes of Go and Java size themselves by the affinity.
func narrowAffinity(cpus float64, limitedByCgroup bool) func() {
	nothing := func() {}
	if cpus <= 0 || limitedByCgroup {
		return nothing
	}
	var all, some unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil {
		return nothing
	}
	left := int(math.Ceil(cpus))
	if left >= all.Count() {
		return nothing
	}
	// From the last processor down: the host's own threads start at the first ones.
	for cpu := runtime.NumCPU()*4 + 1024 - 1; cpu >= 0 && left > 0; cpu-- {
		if all.IsSet(cpu) {
			some.Set(cpu)
			left--
		}
	}
	if unix.SchedSetaffinity(0, &some) != nil {
		return nothing
	}
	return func() { _ = unix.SchedSetaffinity(0, &all) }
}

// waitExited blocks until the child has ended and leaves it to be waited for.
func waitExited(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

func killGroup(pgid int, signal syscall.Signal) {
	if pgid > 1 {
		_ = syscall.Kill(-pgid, signal)
	}
}

func killProcess(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// descendants lists the children of a process and theirs, as far as they are connected.
func descendants(pid int) []int {
	var found []int
	queue := []int{pid}
	for len(queue) > 0 && len(found) < 4096 {
		parent := queue[0]
		queue = queue[1:]
		tasks := "/proc/" + strconv.Itoa(parent) + "/task/"
		threads, err := os.ReadDir(tasks)
		if err != nil {
			continue
		}
		for _, thread := range threads {
			children, _ := os.ReadFile(tasks + thread.Name() + "/children")
			for child := range strings.FieldsSeq(string(children)) {
				if id, err := strconv.Atoi(child); err == nil {
					found = append(found, id)
					queue = append(queue, id)
				}
			}
		}
	}
	return found
}

var pageBytes = int64(os.Getpagesize())

// residentBytes is the resident memory of one process without pages shared with files, 0 when it is gone.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(fields[1], 10, 64)
	shared, _ := strconv.ParseInt(fields[2], 10, 64)
	return (resident - shared) * pageBytes
}
