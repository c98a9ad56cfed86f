package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailrace/tailrace/host/plugin"
)

var (
	processInfo   = gauge("tailrace_plugin_process_info", "A plugin process that runs; always 1.", "plugin", "version", "connector", "pid")
	processMemory = gauge("tailrace_plugin_process_resident_memory_bytes", "Memory of a plugin process.", "plugin", "connector", "pid")
	processCPU    = counter("tailrace_plugin_process_cpu_seconds_total", "CPU time of a plugin process.", "plugin", "connector", "pid")
	processStarts = counter("tailrace_plugin_process_starts_total", "Starts of a plugin process, from the last orderly end on.", "plugin", "connector", "task")
	processStart  = gauge("tailrace_plugin_process_start_time_seconds", "When a plugin process was started, in seconds since 1970.", "plugin", "connector", "pid")
)

func collectProcesses(out chan<- prometheus.Metric, list []plugin.ProcessInfo) {
	type owner struct{ plugin, connector, task string }
	starts := map[owner]uint64{} // an old and a new process of a connector may be there at the same time
	for _, p := range list {
		o := owner{plugin: p.Plugin, connector: p.Connector}
		if p.Task != plugin.NoTask {
			o.task = strconv.Itoa(p.Task)
		}
		starts[o] += p.Starts
		if p.PID != 0 {
			collectProcess(out, p)
		}
	}
	for o, n := range starts {
		processStarts.send(out, float64(n), o.plugin, o.connector, o.task)
	}
}

func collectProcess(out chan<- prometheus.Metric, p plugin.ProcessInfo) {
	pid := strconv.Itoa(p.PID)
	processInfo.send(out, 1, p.Plugin, p.Version, p.Connector, pid)
	processStart.send(out, float64(p.Started.UnixMilli())/1000, p.Plugin, p.Connector, pid)
	usage, err := p.Usage()
	if err != nil {
		return // it has just ended
	}
	processMemory.send(out, float64(usage.ResidentBytes), p.Plugin, p.Connector, pid)
	processCPU.send(out, usage.CPU.Seconds(), p.Plugin, p.Connector, pid)
}
