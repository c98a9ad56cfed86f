package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/worker"
)

var (
	connectorCount = gauge("kafka_connect_worker_connector_count", "Connectors that run on this worker.")
	taskCount      = gauge("kafka_connect_worker_task_count", "Tasks that run on this worker.")
	connectorTasks = gauge("kafka_connect_worker_connector_total_task_count", "Tasks of a connector on this worker.", "connector")

	connectorStarts = newStartMeasures("connector", "connectors")
	taskStarts      = newStartMeasures("task", "tasks")

	connectorStatus = gauge("kafka_connect_connector_status", "1 for the status that a connector has.", "connector", "status")
	connectorInfo   = gauge("kafka_connect_connector_info", "What a connector is; always 1.", "connector", "connector_type", "connector_class", "connector_version")
)

// countedStates are the states with a count of their own for each connector.
var countedStates = []store.State{
	store.StateRunning, store.StatePaused, store.StateFailed, store.StateUnassigned, store.StateDestroyed, store.StateRestarting,
}

var stateCounts = func() map[store.State]measure {
	out := map[store.State]measure{}
	for _, state := range countedStates {
		name := strings.ToLower(string(state))
		out[state] = gauge("kafka_connect_worker_connector_"+name+"_task_count", "Tasks of a connector on this worker that are "+name+".", "connector")
	}
	return out
}()

// startMeasures are the figures of starts. Percentages are fractions, as in Kafka Connect.
type startMeasures struct {
	attempts, successes, failures, successPart, failurePart measure
}

func newStartMeasures(one, many string) startMeasures {
	prefix := "kafka_connect_worker_" + one + "_startup_"
	return startMeasures{
		attempts:    counter(prefix+"attempts_total", "Starts of "+many+"."),
		successes:   counter(prefix+"success_total", "Starts of "+many+" that succeeded."),
		failures:    counter(prefix+"failure_total", "Starts of "+many+" that failed."),
		successPart: gauge(prefix+"success_percentage", "Part of the starts of "+many+" that succeeded, from 0 to 1."),
		failurePart: gauge(prefix+"failure_percentage", "Part of the starts of "+many+" that failed, from 0 to 1."),
	}
}

func (m startMeasures) send(out chan<- prometheus.Metric, s worker.Starts) {
	m.attempts.send(out, float64(s.Attempts))
	m.successes.send(out, float64(s.Successes))
	m.failures.send(out, float64(s.Failures))
	m.successPart.send(out, fraction(s.Successes, s.Attempts))
	m.failurePart.send(out, fraction(s.Failures, s.Attempts))
}

// fraction is part of whole, 0 when there is nothing.
func fraction(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func collectWorker(out chan<- prometheus.Metric, r worker.Report) {
	connectorCount.send(out, float64(len(r.Connectors)))
	taskCount.send(out, float64(len(r.Tasks)))
	connectorStarts.send(out, r.ConnectorStarts)
	taskStarts.send(out, r.TaskStarts)
	for _, c := range r.Connectors {
		if c.State != "" {
			connectorStatus.send(out, 1, c.Name, strings.ToLower(string(c.State)))
		}
		if c.Class != "" {
			connectorInfo.send(out, 1, c.Name, string(c.Kind), c.Class, c.Version)
		}
	}
	counts, order := map[string]map[store.State]int{}, []string{}
	for _, t := range r.Tasks {
		name := t.ID.Connector
		if counts[name] == nil {
			counts[name] = map[store.State]int{}
			order = append(order, name)
		}
		counts[name][t.State]++
		counts[name][""]++
	}
	for _, name := range order {
		connectorTasks.send(out, float64(counts[name][""]), name)
		for _, state := range countedStates {
			stateCounts[state].send(out, float64(counts[name][state]), name)
		}
	}
}
