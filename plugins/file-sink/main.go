// Command file-sink is the file sink connector of Tailrace, as a plugin. README.md is its manual.
package main

import connect "github.com/tailrace/tailrace/sdk/go"

var version = "0.1.0"

// kafkaVersion is that of the Kafka whose FileStreamSink the drop-in type stands in for.
const kafkaVersion = "4.1.0"

func plugin() connect.Plugin {
	newConnector := func() connect.SinkConnector { return &connector{} }
	newTask := func() connect.SinkTask { return &task{} }
	return connect.Plugin{
		Name:    "file-sink",
		Version: version,
		Sinks: []connect.Sink{
			{
				Name:      "file-sink",
				Doc:       "Writes records to files, or standard output, one line each: with rotation, fsync and, if asked, exactly once.",
				Config:    definition(false),
				Connector: newConnector,
				Task:      newTask,
			},
			{
				Name:      "org.apache.kafka.connect.file.FileStreamSinkConnector",
				Version:   kafkaVersion,
				Aliases:   []string{"FileStreamSinkConnector", "FileStreamSink"},
				Doc:       "Stands in for Kafka's FileStreamSink: the same key, the same lines. The keys of file-sink are accepted too.",
				Config:    definition(true),
				Connector: newConnector,
				Task:      newTask,
			},
		},
	}
}

func main() { connect.Serve(plugin()) }
