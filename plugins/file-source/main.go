// Command file-source is the file source connector of Tailrace, as a plugin. README.md is its manual.
package main

import (
	"strings"

	connect "github.com/tailrace/tailrace/sdk/go"
)

var version = "0.1.0"

// kafkaVersion is that of the Kafka whose FileStreamSource the drop-in type stands in for.
const kafkaVersion = "4.1.0"

func plugin() connect.Plugin {
	newConnector := func() connect.SourceConnector { return &connector{} }
	newTask := func() connect.SourceTask { return &task{} }
	return connect.Plugin{
		Name:    "file-source",
		Version: version,
		Sources: []connect.Source{
			{
				Name:      "file-source",
				Doc:       "Reads files, or standard input, line by line: text, JSON or CSV, many files by pattern, through rotation.",
				Config:    definition(false),
				Connector: newConnector,
				Task:      newTask,
			},
			{
				Name:      "org.apache.kafka.connect.file.FileStreamSourceConnector",
				Version:   kafkaVersion,
				Aliases:   []string{"FileStreamSourceConnector", "FileStreamSource"},
				Doc:       "Stands in for Kafka's FileStreamSource: the same keys, offsets and records. The keys of file-source are accepted too.",
				Config:    definition(true),
				Connector: newConnector,
				Task:      newTask,
			},
		},
	}
}

func main() { connect.Serve(plugin()) }

func splitList(v string) []string {
	if strings.TrimSpace(v) == "" {
		return nil
	}
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
