// Command jdbc-source is the source connector for PostgreSQL, MySQL, MariaDB and SQLite tables, as a plugin. README.md is
// its manual.
package main

import (
	"os"
	"runtime/debug"

	connect "github.com/tailrace/tailrace/sdk/go"
)

const version = "0.1.0"

func plugin() connect.Plugin {
	return connect.Plugin{
		Name:    "jdbc-source",
		Version: version,
		Sources: []connect.Source{{
			Name: "jdbc-source",
			Aliases: []string{
				"io.confluent.connect.jdbc.JdbcSourceConnector",
				"io.aiven.connect.jdbc.JdbcSourceConnector",
				"JdbcSourceConnector", "JdbcSource",
			},
			Doc:       "Reads tables or a query of PostgreSQL, MySQL, MariaDB or SQLite: whole, or what is new by an incrementing key or a timestamp.",
			Config:    definition(),
			Connector: func() connect.SourceConnector { return &connector{} },
			Task:      func() connect.SourceTask { return &task{} },
		}},
	}
}

// gcPercent lets the small heap of this program grow to 16 MiB before it is cleaned. The drivers of MySQL and SQLite make garbage
// with every value; a quarter of the collections took 5 to 10 % off the time of a row.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	connect.Serve(plugin())
}
