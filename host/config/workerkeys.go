package config

import (
	"fmt"
	"slices"
	"strings"
)

// workerPrefixes start families of worker keys that no definition lists.
var workerPrefixes = []string{
	"key.converter.", "value.converter.", "header.converter.",
	"producer.", "consumer.", "admin.",
	"listeners.https.", "admin.listeners.https.",
	"config.providers.", "metrics.context.",
	"config.storage.", "offset.storage.", "status.storage.",
}

// cannotWork are keys that Kafka Connect knows and Tailrace cannot honour; the text
// says why. They are reported only when they differ from the harmless value.
var cannotWork = map[string]struct{ harmless, why string }{
	"rest.extension.classes":             {"", "REST extensions are Java classes and cannot run in this worker; use a proxy in front of the REST API"},
	"metric.reporters":                   {"org.apache.kafka.common.metrics.JmxReporter", "metric reporters are Java classes and cannot run in this worker; scrape its metrics endpoint instead"},
	"ssl.provider":                       {"", "security providers are Java classes; Go's TLS is used"},
	"ssl.engine.factory.class":           {"", "engine factories are Java classes; Go's TLS is used"},
	"ssl.secure.random.implementation":   {"", "it selects a Java class; the system's random source is used"},
	"sasl.client.callback.handler.class": {"", "callback handlers are Java classes and cannot run in this worker"},
	"sasl.login.callback.handler.class":  {"", "callback handlers are Java classes and cannot run in this worker"},
	"sasl.login.class":                   {"", "login classes are Java classes and cannot run in this worker"},
	"plugin.discovery":                   {"hybrid_warn", "plugins describe themselves here; nothing is scanned, so the setting has no effect"},
	"internal.key.converter":             {"", "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"internal.value.converter":           {"", "Kafka Connect removed it in 3.0; internal data is always JSON"},
	"rest.host.name":                     {"", "Kafka Connect removed it in 3.0; use listeners, such as http://localhost:8083"},
	"rest.port":                          {"", "Kafka Connect removed it in 3.0; use listeners, such as http://localhost:8083"},
	"config.storage.partitions":          {"", "the config topic always has one partition"},
}

// warnings looks for keys that are not known, or known and without effect.
func (w *Worker) warnings(def *Def) []Warning {
	var out []Warning
	other := DistributedWorkerDef()
	if w.Mode == Distributed {
		other = StandaloneWorkerDef()
	}
	var known []string
	for _, k := range def.Keys() {
		known = append(known, k.Name)
	}
	for key, value := range w.Props {
		if reason, ok := cannotWork[key]; ok {
			if value != reason.harmless {
				out = append(out, Warning{key, "has no effect: " + reason.why})
			}
			continue
		}
		switch {
		case def.Key(key) != nil:
		case other.Key(key) != nil:
			if !isClientKey(key) {
				out = append(out, Warning{key, fmt.Sprintf("has no effect in a %s worker", w.Mode)})
			}
		case strings.HasSuffix(key, ".cleanup.policy") && slices.Contains([]string{"config.storage", "offset.storage", "status.storage"}, strings.TrimSuffix(key, ".cleanup.policy")):
			out = append(out, Warning{key, "has no effect: internal topics are always compacted"})
		case slices.ContainsFunc(workerPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }):
		default:
			message := "is not a known worker setting and has no effect"
			if near := nearest(key, known); near != "" {
				message += fmt.Sprintf("; did you mean %s?", near)
			}
			out = append(out, Warning{key, message})
		}
	}
	slices.SortFunc(out, func(a, b Warning) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// isClientKey reports whether a distributed key is a Kafka client setting, which a
// standalone worker hands to its admin clients.
func isClientKey(key string) bool {
	return strings.HasPrefix(key, "sasl.") || strings.HasPrefix(key, "ssl.") || adminClientDef().Key(key) != nil
}
