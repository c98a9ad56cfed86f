// Package worker is the set of connectors and tasks that run on this machine:
// it starts them, watches them, starts again what died with its process, and
// stops them. It knows no cluster, no REST and no herder; what should run is
// told to it, what happens is told to its Listener.
//
// Each connector and each task has one runner, a goroutine that owns it. A
// runner resolves the plugin, takes a share of its process, runs the
// conversation, and decides by a pure function (outcome) what follows its end:
// nothing, a start on the plugin's new version, a start after a back-off, or FAILED.
//
// A source task that writes exactly once starts when the tasks before it are fenced, and when this worker is still
// the one to run it (ExactlyOnce).
//
// Invariants:
//   - I-3: what a plugin does ends at most the runners on its process.
//   - I-9: errors are masked before they reach the Listener or a log.
//   - I-10: the first start after a death is immediate (plugin.Backoff).
//
// It imports host/task, host/plugin, host/convert, host/kafka, host/store and
// host/config; host/herder uses it.
package worker
