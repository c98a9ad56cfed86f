package dialect

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// mySQL is a MySQL or MariaDB database. Queries are prepared, because only the binary protocol gives a FLOAT exactly.
type mySQL struct {
	hosts     []*mysql.Config // tried in turn
	zeroDate  string          // exception, convert_to_null or round
	isolation string          // empty for the server's own
	settings  Settings
	never     bool
}

func (m *mySQL) Name() string { return "mysql" }

func (m *mySQL) Quote(name string) string {
	if m.never {
		return name
	}
	return quoteMySQL(name)
}

func quoteMySQL(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (m *mySQL) TimeExpr(columns []string) string { return coalesce(columns) }

// TimeHint: TimeExpr of one column is the column, so its index serves.
func (m *mySQL) TimeHint([]string, time.Time, time.Time) string { return "" }

// TimeLiteral: the session's zone is UTC, in which TIMESTAMP columns are compared.
func (m *mySQL) TimeLiteral(t time.Time, zoned bool) string {
	loc := m.settings.Location
	if zoned {
		loc = time.UTC
	}
	return "'" + t.In(loc).Format("2006-01-02 15:04:05.000000") + "'"
}

func (m *mySQL) Quotient(column string, by int64) string {
	return "(" + column + " DIV " + strconv.FormatInt(by, 10) + ")"
}

func (m *mySQL) OffsetNames(t Table) []string { return []string{t.String()} }

func (m *mySQL) Connect(ctx context.Context) (Conn, error) {
	var failures []error
	for _, cfg := range m.hosts {
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, errors.New("the configuration of the MySQL connection is not valid; look at the key \"connection.url\"")
		}
		c, err := connector.Connect(ctx)
		if err == nil {
			err = m.isolate(ctx, c)
		}
		if err == nil {
			return &mysqlConn{db: m, c: c, database: cfg.DBName}, nil
		}
		failures = append(failures, fmt.Errorf("connect to MySQL at %s: %w", cfg.Addr, err))
	}
	return nil, errors.Join(failures...)
}

// isolate sets the isolation of the session by a statement, because the variable has different names in MySQL and MariaDB.
func (m *mySQL) isolate(ctx context.Context, c driver.Conn) error {
	if m.isolation == "" {
		return nil
	}
	runner, ok := c.(driver.ExecerContext)
	if !ok {
		return errors.Join(errors.New("the MySQL driver runs no statements"), c.Close())
	}
	if _, err := runner.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL "+m.isolation, nil); err != nil {
		return errors.Join(fmt.Errorf("set the isolation to %s: %w", m.isolation, err), c.Close())
	}
	return nil
}

func (m *mySQL) Retriable(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return slices.Contains([]uint16{
			1040, 1203, 1226, // too many connections
			1053, 1077, 1079, 1927, 2006, 2013, 4031, // the server stops, the connection was killed
			1205, 1213, 1020, // lock wait timeout, deadlock, record has changed
			1317, 1969, 3024, // query interrupted, statement timeouts of MariaDB and MySQL
			1290, 1836, // read only for now: a failover
		}, my.Number)
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || netError(err)
}

func (m *mySQL) Missing(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == 1146
}

type mysqlConn struct {
	db       *mySQL
	c        driver.Conn
	database string
}

func (c *mysqlConn) Close() { _ = c.c.Close() }

// open prepares and runs a query.
func (c *mysqlConn) open(ctx context.Context, query string) (driver.Rows, func() error, error) {
	preparer, ok := c.c.(driver.ConnPrepareContext)
	if !ok {
		return nil, nil, errors.New("the MySQL driver prepares no statements")
	}
	stmt, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	runner, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, nil, errors.New("the MySQL driver runs no statements")
	}
	rows, err := runner.QueryContext(ctx, nil)
	if err != nil {
		return nil, nil, errors.Join(err, stmt.Close())
	}
	return rows, stmt.Close, nil
}

func (c *mysqlConn) texts(ctx context.Context, query string) ([][]string, error) {
	return driverQuery(ctx, c.open, query)
}

func (c *mysqlConn) Tables(ctx context.Context, types []string) ([]Table, error) {
	var kinds []string
	for _, t := range types {
		switch strings.ToUpper(t) {
		case "TABLE":
			kinds = append(kinds, "'BASE TABLE'", "'SYSTEM VERSIONED'")
		case "VIEW":
			kinds = append(kinds, "'VIEW'")
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	where := "table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
	if c.database != "" {
		where = "table_schema = DATABASE()"
	}
	rows, err := c.texts(ctx, "SELECT table_schema, table_name FROM information_schema.tables WHERE "+where+
		" AND table_type IN ("+strings.Join(kinds, ",")+") ORDER BY 1, 2")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := make([]Table, len(rows))
	for i, r := range rows {
		tables[i] = Table{Catalog: r[0], Name: r[1]} // JDBC calls a MySQL database a catalog
	}
	return tables, nil
}

func (c *mysqlConn) KeyColumn(ctx context.Context, t Table) (string, error) {
	database := "DATABASE()"
	if t.Catalog != "" {
		database = mysqlText(t.Catalog)
	}
	rows, err := c.texts(ctx, `SELECT k.column_name, c.data_type, c.column_type FROM information_schema.key_column_usage k
		JOIN information_schema.columns c ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name
		WHERE k.constraint_name = 'PRIMARY' AND k.table_schema = `+database+` AND k.table_name = `+mysqlText(t.Name))
	if err != nil {
		return "", fmt.Errorf("look for the primary key of %s: %w", t, err)
	}
	if len(rows) != 1 || !slices.Contains([]string{"tinyint", "smallint", "mediumint", "int", "bigint"}, strings.ToLower(rows[0][1])) ||
		strings.HasPrefix(rows[0][2], "bigint") && strings.Contains(rows[0][2], "unsigned") {
		return "", nil
	}
	return rows[0][0], nil
}

func mysqlText(s string) string {
	// In hexadecimal, which means the same under every sql_mode.
	return "CONVERT(0x" + fmt.Sprintf("%x", s) + " USING utf8mb4)"
}

func (c *mysqlConn) Now(ctx context.Context) (time.Time, error) {
	rows, err := c.texts(ctx, "SELECT UTC_TIMESTAMP(6)")
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	return parseWall([]byte(rows[0][0]))
}

func (c *mysqlConn) Columns(ctx context.Context, query string) ([]Column, error) {
	rows, err := c.Open(ctx, query)
	if err != nil {
		return nil, err
	}
	cols := rows.Columns()
	return cols, rows.Close()
}

func (c *mysqlConn) Open(ctx context.Context, query string) (Rows, error) {
	rows, closeRows, err := c.open(ctx, query)
	if err != nil {
		return nil, err
	}
	r := &driverRows{rows: rows, close: closeRows}
	types, ok := rows.(interface {
		driver.RowsColumnTypeDatabaseTypeName
		driver.RowsColumnTypeNullable
		driver.RowsColumnTypePrecisionScale
	})
	if !ok {
		return nil, errors.Join(errors.New("the MySQL driver tells no column types"), r.Close())
	}
	cols := make([]driverColumn, len(rows.Columns()))
	for i, name := range rows.Columns() {
		nullable, _ := types.ColumnTypeNullable(i)
		precision, scale, _ := types.ColumnTypePrecisionScale(i)
		cols[i] = c.db.column(Column{Name: name, Type: types.ColumnTypeDatabaseTypeName(i), Nullable: nullable}, precision, scale)
	}
	r.setColumns(cols)
	return r, nil
}

// column maps a type. The length of BIT is not told by the driver, so every BIT is bytes.
func (m *mySQL) column(c Column, precision, scale int64) driverColumn {
	g, primitive := m.settings.Granularity, data.NewPrimitive
	switch c.Type {
	case "TINYINT":
		c.Whole = true
		return newDriverColumn(c, primitive(data.Int8), encodeLong)
	case "UNSIGNED TINYINT", "SMALLINT":
		c.Whole = true
		return newDriverColumn(c, primitive(data.Int16), encodeLong)
	case "UNSIGNED SMALLINT", "MEDIUMINT", "UNSIGNED MEDIUMINT", "INT", "YEAR":
		c.Whole = c.Type != "YEAR"
		return newDriverColumn(c, primitive(data.Int32), encodeLong)
	case "UNSIGNED INT", "BIGINT":
		c.Whole = true
		return newDriverColumn(c, primitive(data.Int64), encodeLong)
	case "UNSIGNED BIGINT":
		c.Whole = true
		return newDriverColumn(c, data.NewDecimal(0), encodeUnsigned)
	case "FLOAT":
		return newDriverColumn(c, primitive(data.Float32), func(dst []byte, v driver.Value) ([]byte, error) {
			f, ok := v.(float32)
			if !ok {
				return dst, fmt.Errorf("want a FLOAT, not %s", describe(v))
			}
			return data.AppendFloat(dst, f), nil
		})
	case "DOUBLE":
		return newDriverColumn(c, primitive(data.Float64), func(dst []byte, v driver.Value) ([]byte, error) {
			f, ok := v.(float64)
			if !ok {
				return dst, fmt.Errorf("want a DOUBLE, not %s", describe(v))
			}
			return data.AppendDouble(dst, f), nil
		})
	case "DECIMAL":
		c.Whole = scale == 0
		b := numericSchema(m.settings.Numeric, int(min(precision, math.MaxInt32)), int(scale))
		encode := decimalTo(b.MustBuild().Type(), int(scale))
		return newDriverColumn(c, b, func(dst []byte, v driver.Value) ([]byte, error) {
			text, err := asBytes(v)
			if err != nil {
				return dst, err
			}
			return encode(dst, text)
		})
	case "DATE":
		d := newDriverColumn(c, data.NewDate(), m.encodeDate)
		d.Temporal, d.moment = true, m.moment(m.settings.Location)
		return d
	case "DATETIME", "TIMESTAMP":
		loc := m.settings.Location
		if c.Type == "TIMESTAMP" {
			loc, c.Zoned = time.UTC, true
		}
		c.Temporal = true
		if c.Decimals = int(scale); scale > 6 {
			c.Decimals = 0 // 31 stands for "not said"
		}
		moment := m.moment(loc)
		d := newDriverColumn(c, g.timestampSchema(), func(dst []byte, v driver.Value) ([]byte, error) {
			t, err := moment(v)
			if err != nil {
				return dst, err
			}
			return g.appendTimestamp(dst, m.settings.Calendar.moment(t, loc))
		})
		d.moment = moment
		return d
	case "TIME":
		return newDriverColumn(c, g.timeSchema(), func(dst []byte, v driver.Value) ([]byte, error) {
			text, err := asBytes(v)
			if err != nil {
				return dst, err
			}
			span, err := parseSpan(text)
			if err != nil {
				return dst, err
			}
			return g.appendTimeOfDay(dst, span)
		})
	case "BIT", "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY", "VECTOR":
		return newDriverColumn(c, primitive(data.Bytes), encodeBytes)
	}
	return newDriverColumn(c, primitive(data.String), encodeBytes)
}

// encodeUnsigned writes a number of 64 bits without sign; the driver gives those above the signed range as text.
func encodeUnsigned(dst []byte, v driver.Value) ([]byte, error) {
	switch n := v.(type) {
	case int64:
		return data.AppendUnscaledLong(dst, n), nil
	case []byte:
		return data.AppendDecimalText(dst, n, 0)
	case string:
		return data.AppendDecimalText(dst, []byte(n), 0)
	}
	return dst, fmt.Errorf("want a whole number, not %s", describe(v))
}

func (m *mySQL) encodeDate(dst []byte, v driver.Value) ([]byte, error) {
	t, err := m.wall(v)
	if err != nil {
		return dst, err
	}
	return data.AppendLong(dst, m.settings.Calendar.days(floorDays(t))), nil
}

func (m *mySQL) moment(loc *time.Location) func(driver.Value) (time.Time, error) {
	return func(v driver.Value) (time.Time, error) {
		t, err := m.wall(v)
		return wallTime(loc, t), err
	}
}

// wall reads a date or time of the wall; the zero date is what zeroDateTimeBehavior says.
func (m *mySQL) wall(v driver.Value) (time.Time, error) {
	text, err := asBytes(v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := parseWall(text)
	if err == nil || !strings.Contains(string(text), "-00") && !strings.HasPrefix(string(text), "0000") {
		return t, err
	}
	switch m.zeroDate {
	case "convert_to_null":
		return time.Time{}, errIsNull
	case "round":
		return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	return time.Time{}, fmt.Errorf("the date %q is none; add zeroDateTimeBehavior=CONVERT_TO_NULL or ROUND to the connection.url", text)
}

// parseSpan reads [-]H…:MM:SS[.ffffff].
func parseSpan(text []byte) (time.Duration, error) {
	bad := func() (time.Duration, error) { return 0, fmt.Errorf("%q is no time", text) }
	rest := text
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	var parts [3]int64
	at := 0
	for i, c := range rest {
		switch {
		case c-'0' <= 9:
			if parts[at] = parts[at]*10 + int64(c-'0'); parts[at] > 1_000_000 {
				return bad()
			}
			continue
		case c == ':' && at < 2:
			at++
			continue
		case c != '.' || at != 2 || len(rest)-i > 10:
			return bad()
		}
		nanos := int64(0)
		for _, c := range rest[i+1:] {
			if c-'0' > 9 {
				return bad()
			}
			nanos = nanos*10 + int64(c-'0')
		}
		for range 10 - (len(rest) - i) {
			nanos *= 10
		}
		return span(negative, parts, nanos), nil
	}
	if at != 2 {
		return bad()
	}
	return span(negative, parts, 0), nil
}

func span(negative bool, parts [3]int64, nanos int64) time.Duration {
	d := time.Duration(((parts[0]*60+parts[1])*60+parts[2])*int64(time.Second) + nanos)
	if negative {
		return -d
	}
	return d
}
