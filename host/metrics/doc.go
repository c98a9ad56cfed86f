// Package metrics shows this worker's figures to Prometheus.
//
// The names are those that the usual rules of the Prometheus JMX exporter make of Kafka
// Connect's groups (documentation of Kafka 4.1, "Connect Monitoring"), so that dashboards go on
// working: connector-count of connect-worker-metrics is kafka_connect_worker_connector_count. What
// Kafka Connect does not have begins with tailrace_. A plugin's own measures are
// tailrace_plugin_NAME.
//
// Everything is read from snapshots when somebody asks; the data path counts by the batch and
// never by the record. Counters of a task begin at zero when the task is started anew. Averages and
// largest values are of the last half to whole minute (task.Window).
//
// Invariants:
//   - I-3: what a plugin says of itself cannot make the page fail: a name or label that
//     Prometheus does not know, or one that is taken, is left out.
//   - I-9: no text of an error is shown.
//
// Files: worker.go (the worker and its connectors), tasks.go (tables of the tasks' measures),
// processes.go (processes), plugins.go (plugins' own measures), collector.go (the page).
//
// Neighbours: it reads host/worker and host/plugin; host/app serves it at /metrics.
package metrics
