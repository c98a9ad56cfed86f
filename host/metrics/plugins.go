package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/worker"
)

const ofPlugins = "tailrace_plugin_"

// collectPlugins shows what plugins measure of themselves. The first one of a name decides about
// its kind and help; what does not fit is left out (I-3).
func collectPlugins(out chan<- prometheus.Metric, r worker.Report) {
	p := ownMeasures{out: out, families: map[string]plugin.Metric{}, seen: map[string]bool{}}
	for _, c := range r.Connectors {
		for _, m := range c.Metrics {
			p.send(c.Name, "", m)
		}
	}
	for _, t := range r.Tasks {
		for _, m := range t.Metrics {
			p.send(t.ID.Connector, strconv.Itoa(t.ID.Task), m)
		}
	}
}

type ownMeasures struct {
	out      chan<- prometheus.Metric
	families map[string]plugin.Metric
	seen     map[string]bool
}

func (p *ownMeasures) send(connector, task string, m plugin.Metric) {
	name := ofPlugins + m.Name
	if !isName(m.Name) || names[name] {
		return
	}
	first, known := p.families[name]
	if !known {
		first = m
		p.families[name] = m
	}
	if first.Counter != m.Counter {
		return
	}
	labels, values := []string{"connector", "task"}, []string{connector, task}
	for _, label := range slices.Sorted(maps.Keys(m.Labels)) {
		if !isName(label) || strings.HasPrefix(label, "__") || slices.Contains(labels, label) {
			return
		}
		labels, values = append(labels, label), append(values, strings.ToValidUTF8(m.Labels[label], "\uFFFD"))
	}
	key := name + "\x00" + strings.Join(labels, "\x00") + "\x00" + strings.Join(values, "\x00")
	if p.seen[key] {
		return
	}
	p.seen[key] = true
	kind := prometheus.GaugeValue
	if m.Counter {
		kind = prometheus.CounterValue
	}
	metric, err := prometheus.NewConstMetric(prometheus.NewDesc(name, first.Help, labels, nil), kind, m.Value, values...)
	if err == nil {
		p.out <- metric
	}
}

// isName tells whether Prometheus takes a text as part of a name.
func isName(text string) bool {
	for i, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}
