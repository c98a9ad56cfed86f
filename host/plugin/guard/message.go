package guard

import "strconv"

// Arg0 is the name (argv[0]) under which the executable starts itself as a guard.
const Arg0 = "tailrace-plugin-guard"

// MarkerKey is the environment variable that marks a plugin process and everything it starts. Its value is
// "<host id>.<process number>".
const MarkerKey = "TAILRACE_PROCESS_ID"

// The messages of the worker to its guard: one line each.
const (
	opGroup       = "group"       // kill this process group
	opForget      = "forget"      // the group is gone, its number may be used again
	opCgroup      = "cgroup"      // kill this cgroup, then remove it
	opFolder      = "folder"      // remove this folder
	opEveryMarker = "everymarker" // kill every process with this marker prefix
)

// Group asks the guard to kill process group pgid when the host is gone.
func Group(pgid int) string { return opGroup + " " + strconv.Itoa(pgid) + "\n" }

// Forget takes Group back.
func Forget(pgid int) string { return opForget + " " + strconv.Itoa(pgid) + "\n" }

// Cgroup asks the guard to kill and remove the cgroup folder dir, and those below it, when the host is gone.
func Cgroup(dir string) string { return opCgroup + " " + dir + "\n" }

// Folder asks the guard to remove dir with all its content when the host is gone.
func Folder(dir string) string { return opFolder + " " + dir + "\n" }

// Marker asks the guard to kill every process of the host with this id when the host is gone.
func Marker(hostID string) string { return opEveryMarker + " " + hostID + "\n" }
