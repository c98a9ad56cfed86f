// Command elasticsearch-sink writes Kafka records to Elasticsearch or OpenSearch, as a plugin of Tailrace. README.md is
// its manual.
package main

import connect "github.com/tailrace/tailrace/sdk/go"

var version = "0.1.0"

func plugin() connect.Plugin {
	return connect.Plugin{
		Name:    "elasticsearch-sink",
		Version: version,
		Sinks: []connect.Sink{{
			Name: "elasticsearch-sink",
			Aliases: []string{
				"io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "ElasticsearchSinkConnector", "ElasticsearchSink",
				"io.aiven.kafka.connect.opensearch.OpenSearchSinkConnector",
				"io.aiven.kafka.connect.opensearch.OpensearchSinkConnector", "OpensearchSinkConnector", "OpenSearchSinkConnector",
			},
			Doc:       "Writes records as documents to Elasticsearch 7 to 9 or OpenSearch 1 to 3: inserts, upserts and deletes by key, or data streams.",
			Config:    definition(),
			Connector: func() connect.SinkConnector { return &connector{} },
			Task:      func() connect.SinkTask { return &task{} },
		}},
	}
}

func main() { connect.Serve(plugin()) }
