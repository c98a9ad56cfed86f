// Package loggers gives every log line a logger's name and lets the level of a
// logger be changed while the worker runs (KIP-495).
//
// The names are Kafka Connect's, so that what people have written down for it works:
// org.apache.kafka.connect.runtime.WorkerSinkTask and so on, one for each package of the
// host (see sources in names.go). Beside them, connector.NAME is a connector with its
// tasks and its plugin, and a plugin's lines have the logger that the plugin named.
// A level counts for the logger and what is below it, by dots; connector loggers come
// before the others.
//
// The last lines about each connector are remembered in a Tail, for people who look on from outside.
//
// Invariant: a line that no logger wants costs one atomic load and no allocation.
//
// Neighbours: of the host it knows host/recent only; host/app wraps the worker's slog handler in it, and
// host/rest serves it at /admin/loggers.
package loggers
