// Package guard is the last line of the promise that plugins end with their host (I-10).
//
// A parent-death signal reaches only the plugin's first process, and a keep-alive pipe asks for the plugin's good
// will. So every worker starts one guard: its own executable again, under the name in [Arg0]. The guard holds the read
// end of a pipe whose only write end is in the worker. When the worker dies, by whatever signal, the kernel closes the
// pipe; the guard then kills the process groups and cgroups it was told about and every process that carries the
// worker's marker in its environment (children that moved to another group or session), removes the worker's private
// folders, and ends.
//
// The guard runs from this package's init function, so that any program that can start plugins (the worker, a test
// binary) is its own guard without any wiring, and so that almost nothing else of the program is initialised: the guard
// costs a few MiB. For this reason the package imports the standard library only, and of it as little as it can.
//
// Invariants: the guard acts only after end of file on its pipe; it ignores SIGINT, SIGTERM and SIGHUP, because a
// terminal or a service manager sends those to it at the same time as to the worker.
//
// Neighbours: host/plugin/process starts the guard. The reasons are in docs/adr/0010-plugin-processes.md.
package guard
