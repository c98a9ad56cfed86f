package herder

import (
	"maps"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
)

// taskConfigs completes the configurations that a connector made for its tasks,
// as Kafka Connect does (reference section 5.2): the class of the task, and for sinks what they read. Pure.
func taskConfigs(division []map[string]string, connector map[string]string, kind plugin.ConnectorType) []map[string]string {
	out := make([]map[string]string, 0, len(division))
	for _, made := range division {
		props := maps.Clone(made)
		if props == nil {
			props = map[string]string{}
		}
		// Java names its task classes; a plugin has one kind of task for each connector, and nothing reads the key here.
		if class, ok := strings.CutSuffix(kind.Name, "Connector"); ok && props["task.class"] == "" {
			props["task.class"] = class + "Task"
		}
		if kind.Kind == plugin.Sink {
			for _, key := range []string{"topics", "topics.regex"} {
				if v, ok := connector[key]; ok {
					props[key] = v
				}
			}
		}
		out = append(out, props)
	}
	return out
}

// sameTasks says that tasks are those that a connector has already, made from the same configuration.
func sameTasks(tasks []map[string]string, c store.ConnectorSnapshot) bool {
	return c.Tasks != nil && maps.Equal(c.AppliedConfig, c.Config) &&
		slices.EqualFunc(tasks, c.Tasks, func(x, y map[string]string) bool { return maps.Equal(x, y) })
}
