package dialect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// postgres is a PostgreSQL database. It speaks pgx's lowest layer: rows arrive as the server's own binary values and are
// never turned into Go values.
type postgres struct {
	config   *pgconn.Config
	settings Settings
	never    bool // quote.sql.identifiers=never
}

func (p *postgres) Name() string { return "postgresql" }

func (p *postgres) Quote(name string) string {
	if p.never {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func (p *postgres) TimeExpr(columns []string) string { return coalesce(columns) }

// TimeHint: TimeExpr of one column is the column, so its index serves.
func (p *postgres) TimeHint([]string, time.Time, time.Time) string { return "" }

func coalesce(columns []string) string {
	if len(columns) == 1 {
		return columns[0]
	}
	return "COALESCE(" + strings.Join(columns, ", ") + ")"
}

func (p *postgres) TimeLiteral(t time.Time, zoned bool) string {
	loc, zone := p.settings.Location, ""
	if zoned {
		loc, zone = time.UTC, "+00"
	}
	era := ""
	switch t = t.In(loc); {
	case t.Year() < -4713: // before PostgreSQL's calendar there is only -infinity
		return "'-infinity'"
	case t.Year() < 1:
		t, era = t.AddDate(1-2*t.Year(), 0, 0), " BC"
	}
	return "'" + t.Format("2006-01-02 15:04:05.000000") + zone + era + "'"
}

func (p *postgres) Quotient(column string, by int64) string {
	return "(" + column + " / " + strconv.FormatInt(by, 10) + ")"
}

// OffsetNames: PostgreSQL's JDBC driver names no catalog before 42.7.5, and the database since.
func (p *postgres) OffsetNames(t Table) []string {
	short := Table{Schema: t.Schema, Name: t.Name}.String()
	return []string{short, p.config.Database + "." + short}
}

func (p *postgres) Connect(ctx context.Context) (Conn, error) {
	c, err := pgconn.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL at %s: %w", p.config.Host, withoutAddress(err))
	}
	return &pgConn{db: p, c: c}, nil
}

// withoutAddress cuts pgx's text, which names user and database for each address it tried, down to the causes. The
// password is never in it.
func withoutAddress(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg
	}
	return err
}

func (p *postgres) Retriable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"55P03", "57014", // lock not available, query canceled (statement timeout)
			"57P01", "57P02", "57P03", "57P05": // the server stops, starts, or ends idle sessions
			return true
		case "0A000": // cached plan must not change result type: the table was altered between two messages
			return strings.Contains(pg.Message, "cached plan")
		}
		return slices.Contains([]string{"08", "53"}, pg.Code[:2]) // connection, resources
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || netError(err)
}

func (p *postgres) Missing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P01"
}

// netError recognises a connection that is gone, whatever the driver made of it.
func netError(err error) bool {
	var op net.Error
	return errors.As(err, &op) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded)
}

type pgConn struct {
	db *postgres
	c  *pgconn.PgConn
	// columns are those of the result described last.
	described string
	columns   []pgColumn
}

func (c *pgConn) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.c.Close(ctx)
}

// texts runs a small query and gives its values as texts.
func (c *pgConn) texts(ctx context.Context, query string, args ...string) ([][]string, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	r := c.c.ExecParams(ctx, query, params, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, r.Err
	}
	out := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		for _, v := range row {
			out[i] = append(out[i], string(v))
		}
	}
	return out, nil
}

var pgKinds = map[string]string{
	"TABLE": "'r'", "PARTITIONED TABLE": "'p'", "VIEW": "'v'", "MATERIALIZED VIEW": "'m'", "FOREIGN TABLE": "'f'",
	"SYSTEM TABLE": "", "TEMPORARY TABLE": "",
}

func (c *pgConn) Tables(ctx context.Context, types []string) ([]Table, error) {
	var kinds []string
	for _, t := range types {
		if k := pgKinds[strings.ToUpper(t)]; k != "" {
			kinds = append(kinds, k)
		}
		if strings.EqualFold(t, "TABLE") {
			kinds = append(kinds, "'p'")
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	// A partition's rows are read through its parent.
	rows, err := c.texts(ctx, `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN (`+strings.Join(kinds, ",")+`) AND NOT c.relispartition AND c.relpersistence <> 't'
		AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	tables := make([]Table, len(rows))
	for i, r := range rows {
		tables[i] = Table{Schema: r[0], Name: r[1]}
	}
	return tables, nil
}

func (c *pgConn) KeyColumn(ctx context.Context, t Table) (string, error) {
	rows, err := c.texts(ctx, `SELECT a.attname FROM pg_catalog.pg_index i
		JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE i.indisprimary AND i.indnkeyatts = 1 AND n.nspname = $1 AND c.relname = $2 AND a.atttypid IN (20, 21, 23)`, t.Schema, t.Name)
	if err != nil {
		return "", fmt.Errorf("look for the primary key of %s: %w", t, err)
	}
	if len(rows) == 0 {
		return "", nil
	}
	return rows[0][0], nil
}

func (c *pgConn) Now(ctx context.Context) (time.Time, error) {
	rows, err := c.texts(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its time: %w", err)
	}
	micros, err := strconv.ParseInt(rows[0][0], 10, 64)
	return time.UnixMicro(micros).UTC(), err
}

func (c *pgConn) Columns(ctx context.Context, query string) ([]Column, error) {
	st, err := c.c.Prepare(ctx, "", query, nil)
	if err != nil {
		return nil, err
	}
	cols, err := c.describe(ctx, st.Fields)
	if err != nil {
		return nil, err
	}
	return plainColumns(cols), nil
}

// Open asks for binary values where this package reads them, and for text where text is what Connect gets.
func (c *pgConn) Open(ctx context.Context, query string) (Rows, error) {
	st, err := c.c.Prepare(ctx, "", query, nil)
	if err != nil {
		return nil, err
	}
	before := c.described
	cols, err := c.describe(ctx, st.Fields)
	if err != nil {
		return nil, err
	}
	if before != c.described {
		// Looking up the columns used the unnamed statement.
		if _, err := c.c.Prepare(ctx, "", query, nil); err != nil {
			return nil, err
		}
	}
	formats := make([]int16, len(cols))
	for i := range cols {
		if cols[i].binary {
			formats[i] = 1
		}
	}
	return &pgRows{r: c.c.ExecPrepared(ctx, "", nil, nil, formats), columns: cols, plain: plainColumns(cols)}, nil
}

// describe finds out what the result's fields are; the answer is kept while the fields stay the same.
func (c *pgConn) describe(ctx context.Context, fields []pgconn.FieldDescription) ([]pgColumn, error) {
	key := fmt.Sprint(fields)
	if key == c.described {
		return c.columns, nil
	}
	required, dims, err := c.attributes(ctx, fields)
	if err != nil {
		return nil, err
	}
	types, err := c.types(ctx, fields)
	if err != nil {
		return nil, err
	}
	cols := make([]pgColumn, len(fields))
	for i, f := range fields {
		cols[i] = pgColumnOf(f, types[f.DataTypeOID], !required[attribute(f)], dims[attribute(f)], c.db.settings)
	}
	c.described, c.columns = key, cols
	return cols, nil
}

func attribute(f pgconn.FieldDescription) string {
	return strconv.FormatUint(uint64(f.TableOID), 10) + "." + strconv.FormatUint(uint64(f.TableAttributeNumber), 10)
}

func (c *pgConn) attributes(ctx context.Context, fields []pgconn.FieldDescription) (required map[string]bool, dims map[string]int, err error) {
	var tables []string
	for _, f := range fields {
		if id := strconv.FormatUint(uint64(f.TableOID), 10); f.TableOID != 0 && !slices.Contains(tables, id) {
			tables = append(tables, id)
		}
	}
	required, dims = map[string]bool{}, map[string]int{}
	if len(tables) == 0 {
		return required, dims, nil
	}
	rows, err := c.texts(ctx, "SELECT a.attrelid, a.attnum, a.attnotnull AND c.relkind IN ('r', 'p'), a.attndims FROM pg_catalog.pg_attribute a "+
		"JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0 AND a.attrelid IN ("+strings.Join(tables, ",")+")")
	if err != nil {
		return nil, nil, fmt.Errorf("look up the columns: %w", err)
	}
	for _, r := range rows {
		key := r[0] + "." + r[1]
		required[key] = r[2] == "t" && len(tables) == 1 // an outer join may bring nulls
		dims[key], _ = strconv.Atoi(r[3])
	}
	return required, dims, nil
}

// types gives the names of the types in the fields.
func (c *pgConn) types(ctx context.Context, fields []pgconn.FieldDescription) (map[uint32]pgType, error) {
	ids := make([]string, len(fields))
	for i, f := range fields {
		ids[i] = strconv.FormatUint(uint64(f.DataTypeOID), 10)
	}
	out := map[uint32]pgType{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := c.texts(ctx, "SELECT t.oid, t.typname, t.typtype, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, coalesce(e.typtype, ' ') "+
		"FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem WHERE t.oid IN ("+strings.Join(ids, ",")+")")
	if err != nil {
		return nil, fmt.Errorf("look up the types of the columns: %w", err)
	}
	for _, r := range rows {
		oid, err := strconv.ParseUint(r[0], 10, 32)
		if err != nil {
			return nil, err
		}
		elem, err := strconv.ParseUint(r[3], 10, 32)
		if err != nil {
			return nil, err
		}
		out[uint32(oid)] = pgType{name: r[1], elem: uint32(elem), elemIsEnum: r[4] == "e"}
	}
	return out, nil
}

type pgType struct {
	name       string
	elem       uint32
	elemIsEnum bool
}

type pgRows struct {
	r       *pgconn.ResultReader
	columns []pgColumn
	plain   []Column
	values  [][]byte
}

func (r *pgRows) Columns() []Column { return r.plain }

func (r *pgRows) Next() (bool, error) {
	if r.r.NextRow() {
		r.values = r.r.Values()
		return true, nil
	}
	_, err := r.r.Close()
	return false, err
}

func (r *pgRows) Append(dst []byte) ([]byte, error) {
	if len(r.values) != len(r.columns) {
		return dst, errTorn
	}
	var err error
	for i := range r.columns {
		c, raw := &r.columns[i], r.values[i]
		if raw == nil {
			if !c.Nullable {
				return dst, &NullError{Column: c.Name}
			}
			dst = append(dst, c.null)
			continue
		}
		if c.Nullable {
			dst = append(dst, c.value)
		}
		switch {
		case c.quick == quickBytes:
			dst = data.AppendBytes(dst, raw)
		case c.quick == quickInt8 && len(raw) == 8:
			dst = data.AppendLong(dst, int64(binary.BigEndian.Uint64(raw)))
		case c.quick == quickInt4 && len(raw) == 4:
			dst = data.AppendLong(dst, int64(int32(binary.BigEndian.Uint32(raw))))
		case c.quick == quickInt2 && len(raw) == 2:
			dst = data.AppendLong(dst, int64(int16(binary.BigEndian.Uint16(raw))))
		case c.quick == quickFloat8 && len(raw) == 8:
			dst = binary.LittleEndian.AppendUint64(dst, binary.BigEndian.Uint64(raw))
		case c.quick == quickFloat4 && len(raw) == 4:
			dst = binary.LittleEndian.AppendUint32(dst, binary.BigEndian.Uint32(raw))
		default:
			if dst, err = c.encode(dst, raw); err != nil {
				return dst, &ValueError{Column: c.Name, Type: c.Type, Err: err}
			}
		}
	}
	return dst, nil
}

func (r *pgRows) Int(column int) (int64, bool, error) {
	raw := r.values[column]
	if raw == nil {
		return 0, false, nil
	}
	switch c := &r.columns[column]; {
	case c.oid == oidNumeric:
		n, err := pgNumericInt(raw)
		return n, true, err
	case !c.binary:
	case len(raw) == 2:
		return int64(int16(binary.BigEndian.Uint16(raw))), true, nil
	case len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), true, nil
	case len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), true, nil
	}
	return 0, false, fmt.Errorf("column %q (%s) holds no whole numbers", r.columns[column].Name, r.columns[column].Type)
}

func (r *pgRows) Time(column int) (time.Time, bool, error) {
	raw := r.values[column]
	if raw == nil {
		return time.Time{}, false, nil
	}
	c := &r.columns[column]
	if c.moment == nil {
		return time.Time{}, false, fmt.Errorf("column %q (%s) holds no moments", c.Name, c.Type)
	}
	t, err := c.moment(raw)
	return t, true, err
}

func (r *pgRows) Close() error {
	_, err := r.r.Close()
	return err
}

// Abandon does nothing: closing the connection ends the query.
func (r *pgRows) Abandon() {}
