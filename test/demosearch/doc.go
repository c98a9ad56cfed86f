// Command demosearch is `make demo-search`: rows of a PostgreSQL table go through Kafka into OpenSearch.
//
// It starts the database, the search server and `tailrace dev` (with its Kafka inside), makes the two connectors through the REST API,
// shows how far they are, compares the index with the table, and says what to try. Ctrl-C, or a failure, stops
// everything that it started; nothing outlives it.
//
// It uses Tailrace as a user does: the built binary, the REST API, the connectors' keys.
package main
