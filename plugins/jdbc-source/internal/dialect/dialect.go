package dialect

import (
	"context"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Conn is a connection to a database. It is used by one goroutine. After an error that Retriable recognises it may be
// broken: close it and connect again.
type Conn interface {
	// Tables lists the tables of the wanted types, in the order of their names.
	Tables(ctx context.Context, types []string) ([]Table, error)
	// KeyColumn is the primary key of a table when that is a single column of whole numbers, else "".
	KeyColumn(ctx context.Context, t Table) (string, error)
	// Columns describes the result of a query without running it.
	Columns(ctx context.Context, query string) ([]Column, error)
	// Now is the time of the database, in UTC.
	Now(ctx context.Context) (time.Time, error)
	// Open runs a query. Its rows must be read to their end or closed before the connection is used again.
	Open(ctx context.Context, query string) (Rows, error)
	Close()
}

// Rows is the running result of a query.
type Rows interface {
	Columns() []Column
	// Next goes to the next row; false at the end.
	Next() (bool, error)
	// Append appends the current row in the wire form of Connect: the columns in order, each with its presence where the
	// column is optional.
	Append(dst []byte) ([]byte, error)
	// Int is a column of the current row as a whole number; false for null.
	Int(column int) (int64, bool, error)
	// Time is a column of the current row as a moment in UTC; false for null.
	Time(column int) (time.Time, bool, error)
	// Close ends the query; it may have to read what is left.
	Close() error
	// Abandon lets go of a query whose connection is closed next, without reading what is left.
	Abandon()
}

// Column is a column of a table or result.
type Column struct {
	Name string
	// Type is the database's name for its type, for messages.
	Type string
	// Schema is its Connect schema, optional when Nullable.
	Schema   *data.Schema
	Nullable bool
	// Temporal tells that it is a moment; Zoned, that it knows its time zone; Decimals are those of its seconds.
	Temporal bool
	Zoned    bool
	Decimals int
	// Whole tells that it holds whole numbers.
	Whole bool
}

// Table is the name of a table. Catalog and Schema are empty where a database has none.
type Table struct{ Catalog, Schema, Name string }

// String is the name as Kafka Connect's JDBC source writes it into offsets and matches it with patterns: with dots, without
// quotes.
func (t Table) String() string {
	s := t.Name
	if t.Schema != "" {
		s = t.Schema + "." + s
	}
	if t.Catalog != "" {
		s = t.Catalog + "." + s
	}
	return s
}

// Settings change how values are mapped.
type Settings struct {
	Numeric     NumericMapping
	Granularity Granularity
	Calendar    Calendar
	// Location is the zone of times without a zone (db.timezone).
	Location *time.Location
}

// NumericMapping is the value of numeric.mapping.
type NumericMapping uint8

// The mappings.
const (
	NumericNone NumericMapping = iota
	NumericPrecisionOnly
	NumericBestFit
	NumericBestFitEagerDouble
)

// Granularity is the value of timestamp.granularity.
type Granularity uint8

// The granularities. ConnectLogical has milliseconds, the others lose nothing.
const (
	ConnectLogical Granularity = iota
	MicrosLong
	NanosLong
	MicrosString
	NanosString
	ISOString
)

// Database is a database that can be connected to.
type Database interface {
	// Name is "postgresql", "mysql" or "sqlite".
	Name() string
	Connect(ctx context.Context) (Conn, error)
	// Quote quotes a name.
	Quote(name string) string
	TimeExpr(columns []string) string
	TimeHint(columns []string, from, to time.Time) string
	TimeLiteral(t time.Time, zoned bool) string
	Quotient(column string, by int64) string
	// OffsetNames are the names under which the offset of a table may be stored, the one to write first.
	OffsetNames(t Table) []string
	// Retriable tells whether an error may pass by itself: a lost connection, a deadlock, a timeout.
	Retriable(err error) bool
	// Missing tells whether a table does not exist (any more).
	Missing(err error) bool
}
