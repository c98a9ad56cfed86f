// Package jdbc takes tables of real PostgreSQL, MariaDB and SQLite through the built worker and plugin into a real Kafka, and
// compares every row with the table by queries that know nothing of this project. Databases are restarted and plugins killed
// on the way. TAILRACE_JDBC_ROWS sets the number of rows (30,000 without it; the long form is `make test-jdbc`).
package jdbc
