package dialect

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// sqliteDB is an SQLite file. Its values have types of their own in every row, so each is held against its column's.
type sqliteDB struct {
	dsn      string
	settings Settings
	never    bool
}

func (s *sqliteDB) Name() string { return "sqlite" }

func (s *sqliteDB) Quote(name string) string {
	if s.never {
		return name
	}
	return quoteSQLite(name)
}

func quoteSQLite(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// TimeExpr brings the two forms of a moment, text and milliseconds, into one that compares: text to the millisecond.
func (s *sqliteDB) TimeExpr(columns []string) string {
	c := coalesce(columns)
	return "(CASE typeof(" + c + ") WHEN 'integer' THEN strftime('%Y-%m-%d %H:%M:%f', " + c + " / 1000.0, 'unixepoch')" +
		" ELSE strftime('%Y-%m-%d %H:%M:%f', " + c + ") END)"
}

// TimeHint is what every row from one moment to another satisfies by its plain columns, for each class of storage: so an index on
// them finds the few rows behind a position, among which TimeExpr decides. A text begins with a date that is at most a day away from
// that in UTC, whatever its zone. A number is milliseconds, and one that SQLite takes for a day of the Julian period, like bytes, must not
// be left out silently, because reading it tells what is wrong.
func (s *sqliteDB) TimeHint(columns []string, from, to time.Time) string {
	const slack = time.Second // of the rounding to milliseconds
	julian := func(t time.Time) string {
		return strconv.FormatFloat(float64(t.UnixMilli())/86_400_000+2440587.5, 'f', 6, 64)
	}
	early, late := from.Add(-slack), to.Add(slack)
	var ranges []string
	for _, c := range columns {
		ranges = append(ranges,
			c+" BETWEEN "+strconv.FormatInt(early.UnixMilli(), 10)+" AND "+strconv.FormatInt(late.UnixMilli(), 10),
			c+" BETWEEN '"+from.UTC().AddDate(0, 0, -1).Format(time.DateOnly)+"' AND '"+to.UTC().AddDate(0, 0, 2).Format(time.DateOnly)+"'",
			c+" BETWEEN "+julian(early)+" AND "+julian(late),
			c+" >= x''")
	}
	return "(" + strings.Join(ranges, " OR ") + ")"
}

// TimeLiteral: numbers are moments in UTC, texts are in db.timezone; a database has one of them, and a text that says no
// zone is what SQLite writes itself, in UTC.
func (s *sqliteDB) TimeLiteral(t time.Time, _ bool) string {
	return "'" + t.UTC().Format("2006-01-02 15:04:05.000") + "'"
}

func (s *sqliteDB) Quotient(column string, by int64) string {
	return "(" + column + " / " + strconv.FormatInt(by, 10) + ")"
}

func (s *sqliteDB) OffsetNames(t Table) []string { return []string{t.Name} }

const (
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteIOErr    = 10
	sqliteCantOpen = 14
	sqliteSchema   = 17
)

func (s *sqliteDB) Retriable(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqliteBusy, sqliteLocked, sqliteIOErr, sqliteCantOpen, sqliteSchema:
			return true
		}
	}
	return errors.Is(err, context.DeadlineExceeded)
}

func (s *sqliteDB) Missing(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && strings.Contains(e.Error(), "no such table")
}

func (s *sqliteDB) Connect(context.Context) (Conn, error) {
	c, err := (&sqlite.Driver{}).Open(s.dsn)
	if err != nil {
		return nil, fmt.Errorf("open the SQLite file: %w", err)
	}
	return &sqliteConn{db: s, c: c}, nil
}

type sqliteConn struct {
	db *sqliteDB
	c  driver.Conn
}

func (c *sqliteConn) Close() { _ = c.c.Close() }

func (c *sqliteConn) open(ctx context.Context, query string) (driver.Rows, func() error, error) {
	q, ok := c.c.(driver.QueryerContext)
	if !ok {
		return nil, nil, errors.New("the SQLite driver runs no queries")
	}
	rows, err := q.QueryContext(ctx, query, nil)
	return rows, func() error { return nil }, err
}

func (c *sqliteConn) texts(ctx context.Context, query string) ([][]string, error) {
	return driverQuery(ctx, c.open, query)
}

func (c *sqliteConn) Tables(ctx context.Context, types []string) ([]Table, error) {
	var kinds []string
	for _, t := range types {
		switch strings.ToUpper(t) {
		case "TABLE":
			kinds = append(kinds, "'table'")
		case "VIEW":
			kinds = append(kinds, "'view'")
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	rows, err := c.texts(ctx, "SELECT name FROM sqlite_master WHERE type IN ("+strings.Join(kinds, ",")+") AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := make([]Table, len(rows))
	for i, r := range rows {
		tables[i] = Table{Name: r[0]}
	}
	return tables, nil
}

// KeyColumn is the row id under its name: a table's other keys may hold values of any type.
func (c *sqliteConn) KeyColumn(ctx context.Context, t Table) (string, error) {
	rows, err := c.texts(ctx, "SELECT name, type FROM pragma_table_info("+sqliteText(t.Name)+") WHERE pk > 0")
	if err != nil {
		return "", fmt.Errorf("look for the primary key of %s: %w", t, err)
	}
	if len(rows) == 1 && strings.EqualFold(rows[0][1], "INTEGER") {
		return rows[0][0], nil
	}
	return "", nil
}

func sqliteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (c *sqliteConn) Now(ctx context.Context) (time.Time, error) {
	rows, err := c.texts(ctx, "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	return parseWall([]byte(rows[0][0]))
}

func (c *sqliteConn) Columns(ctx context.Context, query string) ([]Column, error) {
	rows, err := c.Open(ctx, query)
	if err != nil {
		return nil, err
	}
	cols := rows.Columns()
	return cols, rows.Close()
}

func (c *sqliteConn) Open(ctx context.Context, query string) (Rows, error) {
	rows, closeRows, err := c.open(ctx, query)
	if err != nil {
		return nil, err
	}
	r := &driverRows{rows: rows, close: closeRows, values: make([]driver.Value, len(rows.Columns()))}
	r.abandon = func() { _ = rows.Close() } // it reads nothing, and a statement left open would hold memory
	// The first row is looked at, because an expression has the type of its value.
	if err := rows.Next(r.values); errors.Is(err, io.EOF) {
		r.ended = true
	} else if err != nil {
		return nil, errors.Join(err, r.Close())
	} else {
		r.first = true
	}
	types, ok := rows.(driver.RowsColumnTypeDatabaseTypeName)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver tells no column types"), r.Close())
	}
	cols := make([]driverColumn, len(rows.Columns()))
	for i, name := range rows.Columns() {
		cols[i] = c.db.column(Column{Name: name, Type: types.ColumnTypeDatabaseTypeName(i), Nullable: true}, r.values[i])
	}
	r.setColumns(cols)
	return r, nil
}

// column maps a declared type by SQLite's own rules of affinity, with more for the names that mean more.
func (s *sqliteDB) column(c Column, sample driver.Value) driverColumn {
	g, primitive := s.settings.Granularity, data.NewPrimitive
	name, precision, scale := sqliteType(c.Type)
	switch {
	case name == "":
		switch sample.(type) {
		case int64:
			c.Whole = true
			return newDriverColumn(c, primitive(data.Int64), sqliteInt)
		case float64:
			return newDriverColumn(c, primitive(data.Float64), sqliteFloat)
		case []byte:
			return newDriverColumn(c, primitive(data.Bytes), encodeBytes)
		}
		return newDriverColumn(c, primitive(data.String), sqliteString)
	case name == "BOOLEAN" || name == "BOOL":
		return newDriverColumn(c, primitive(data.Boolean), func(dst []byte, v driver.Value) ([]byte, error) {
			if n, ok := v.(int64); ok && (n == 0 || n == 1) {
				return data.AppendBool(dst, n == 1), nil
			}
			return dst, fmt.Errorf("want 0 or 1, not %s", describe(v))
		})
	case name == "DATE":
		c.Temporal = true
		d := newDriverColumn(c, data.NewDate(), func(dst []byte, v driver.Value) ([]byte, error) {
			t, err := sqliteMoment(v)
			if err != nil {
				return dst, err
			}
			if !t.Equal(t.Truncate(day)) {
				return dst, fmt.Errorf("%s is no date, it has a time", t.Format(time.RFC3339Nano))
			}
			return data.AppendLong(dst, s.settings.Calendar.days(floorDays(t))), nil
		})
		d.moment = sqliteMoment
		return d
	case name == "DATETIME" || name == "TIMESTAMP":
		c.Temporal, c.Zoned = true, true
		d := newDriverColumn(c, g.timestampSchema(), func(dst []byte, v driver.Value) ([]byte, error) {
			t, err := sqliteMoment(v)
			if err != nil {
				return dst, err
			}
			return g.appendTimestamp(dst, s.settings.Calendar.moment(t, time.UTC))
		})
		d.moment = sqliteMoment
		return d
	case strings.Contains(name, "INT"):
		c.Whole = true
		return newDriverColumn(c, primitive(data.Int64), sqliteInt)
	case strings.Contains(name, "CHAR") || strings.Contains(name, "CLOB") || strings.Contains(name, "TEXT"):
		return newDriverColumn(c, primitive(data.String), sqliteString)
	case strings.Contains(name, "BLOB"):
		return newDriverColumn(c, primitive(data.Bytes), encodeBytes)
	case strings.Contains(name, "REAL") || strings.Contains(name, "FLOA") || strings.Contains(name, "DOUB"): //nolint:misspell // so SQLite says it
		return newDriverColumn(c, primitive(data.Float64), sqliteFloat)
	case (name == "DECIMAL" || name == "NUMERIC") && precision > 0:
		b := numericSchema(s.settings.Numeric, precision, scale)
		encode := decimalTo(b.MustBuild().Type(), scale)
		c.Whole = scale == 0
		return newDriverColumn(c, b, func(dst []byte, v driver.Value) ([]byte, error) {
			text, err := sqliteNumberText(v)
			if err != nil {
				return dst, err
			}
			return encode(dst, text)
		})
	}
	// Numeric affinity without a scale, which is also that of names such as JSON and UUID: the exact text of what the row
	// holds.
	return newDriverColumn(c, primitive(data.String), func(dst []byte, v driver.Value) ([]byte, error) {
		if b, ok := v.([]byte); ok {
			return dst, fmt.Errorf("want a number or text, not %s", describe(b))
		}
		text, err := sqliteNumberText(v)
		return data.AppendBytes(dst, text), err
	})
}

func sqliteType(declared string) (name string, precision, scale int) {
	name, args, _ := strings.Cut(declared, "(")
	p, sc, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(args), ")"), ",")
	precision, _ = strconv.Atoi(strings.TrimSpace(p))
	scale, _ = strconv.Atoi(strings.TrimSpace(sc))
	return strings.ToUpper(strings.TrimSpace(name)), precision, scale
}

func sqliteInt(dst []byte, v driver.Value) ([]byte, error) {
	n, ok := v.(int64)
	if !ok {
		return dst, fmt.Errorf("want a whole number, not %s", describe(v))
	}
	return data.AppendLong(dst, n), nil
}

func sqliteFloat(dst []byte, v driver.Value) ([]byte, error) {
	f, ok := v.(float64)
	if !ok {
		return dst, fmt.Errorf("want a floating point number, not %s", describe(v))
	}
	return data.AppendDouble(dst, f), nil
}

func sqliteString(dst []byte, v driver.Value) ([]byte, error) {
	t, ok := v.(string)
	if !ok {
		return dst, fmt.Errorf("want a text, not %s", describe(v))
	}
	return data.AppendString(dst, t), nil
}

func sqliteNumberText(v driver.Value) ([]byte, error) {
	switch n := v.(type) {
	case int64:
		return strconv.AppendInt(nil, n, 10), nil
	case float64:
		return strconv.AppendFloat(nil, n, 'f', -1, 64), nil
	case string:
		return []byte(n), nil
	case time.Time:
		return []byte(n.UTC().Format("2006-01-02 15:04:05.999999999")), nil
	}
	return nil, fmt.Errorf("want a number, not %s", describe(v))
}

// sqliteMoment reads a moment: milliseconds since 1970 as SQLite's JDBC driver writes them, or a text, which the driver has
// parsed where it could.
func sqliteMoment(v driver.Value) (time.Time, error) {
	switch t := v.(type) {
	case int64:
		return time.UnixMilli(t).UTC(), nil
	case time.Time:
		return t.UTC(), nil
	case string:
		return parseWall([]byte(t))
	}
	return time.Time{}, fmt.Errorf("want a moment as text or milliseconds, not %s", describe(v))
}
