package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/worker"
)

// maxScrapes bounds the pages that are made at the same time.
const maxScrapes = 4

// Worker tells what runs here; *worker.Worker is one.
type Worker interface {
	Report() worker.Report
}

// Processes tells about plugin processes; *plugin.Host is one.
type Processes interface {
	Processes() []plugin.ProcessInfo
}

// Handler serves the figures, with those of the Go runtime and of the worker's own process. More
// may be added by others' collectors.
func Handler(w Worker, processes Processes, logger *slog.Logger, more ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{w, processes}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(more...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	})
}

type collector struct {
	worker    Worker
	processes Processes
}

// Describe sends nothing: which figures there are depends on what runs, and the registry checks them at each look.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	report, now := c.worker.Report(), time.Now()
	collectWorker(out, report)
	for _, t := range report.Tasks {
		collectTask(out, t, now)
	}
	collectProcesses(out, c.processes.Processes())
	collectPlugins(out, report)
}

// measure is a figure with its name.
type measure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// names are all names that this package makes, for the tests.
var names = map[string]bool{}

func describe(kind prometheus.ValueType, name, help string, labels ...string) measure {
	names[name] = true
	return measure{prometheus.NewDesc(name, help, labels, nil), kind}
}

func gauge(name, help string, labels ...string) measure {
	return describe(prometheus.GaugeValue, name, help, labels...)
}

func counter(name, help string, labels ...string) measure {
	return describe(prometheus.CounterValue, name, help, labels...)
}

func (m measure) send(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}
