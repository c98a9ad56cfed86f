package dialect

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// driverColumn is a column of a driver below database/sql, which gives Go values.
type driverColumn struct {
	Column
	encode func(dst []byte, v driver.Value) ([]byte, error)
	moment func(v driver.Value) (time.Time, error)
	null   []byte
	value  []byte
}

func newDriverColumn(c Column, b *data.Builder, encode func([]byte, driver.Value) ([]byte, error)) driverColumn {
	c.Schema = build(b, c.Nullable)
	d := driverColumn{Column: c, encode: encode}
	if c.Nullable {
		d.value = data.AppendPresence(nil, c.Schema, true)
		d.null = data.AppendPresence(nil, c.Schema, false)
	}
	return d
}

// driverRows reads rows straight from a driver, without database/sql between: no conversion, no lock, no reflection.
type driverRows struct {
	rows    driver.Rows
	columns []driverColumn
	plain   []Column
	values  []driver.Value
	first   bool // values holds a row that Next has still to give
	ended   bool
	close   func() error
	abandon func() // nil where closing the connection is enough
}

func (r *driverRows) setColumns(cols []driverColumn) {
	r.columns, r.plain = cols, make([]Column, len(cols))
	for i := range cols {
		r.plain[i] = cols[i].Column
	}
	if r.values == nil {
		r.values = make([]driver.Value, len(cols))
	}
}

func (r *driverRows) Columns() []Column { return r.plain }

func (r *driverRows) Next() (bool, error) {
	if r.first {
		r.first = false
		return true, nil
	}
	if r.ended {
		return false, nil
	}
	err := r.rows.Next(r.values)
	if errors.Is(err, io.EOF) {
		r.ended = true
		return false, nil
	}
	return err == nil, err
}

func (r *driverRows) Append(dst []byte) ([]byte, error) {
	var err error
	for i := range r.columns {
		c, v := &r.columns[i], r.values[i]
		if c.Nullable {
			if v == nil {
				dst = append(dst, c.null...)
				continue
			}
			dst = append(dst, c.value...)
		} else if v == nil {
			return dst, &NullError{Column: c.Name}
		}
		start := len(dst)
		if dst, err = c.encode(dst, v); err != nil {
			if errors.Is(err, errIsNull) && c.Nullable {
				dst = append(dst[:start-len(c.value)], c.null...)
				continue
			}
			return dst, &ValueError{Column: c.Name, Type: c.Type, Err: err}
		}
	}
	return dst, nil
}

// errIsNull is a value that stands for null by the user's own setting.
var errIsNull = errors.New("the value stands for null, and the column is NOT NULL")

func (r *driverRows) Int(column int) (int64, bool, error) {
	switch v := r.values[column].(type) {
	case nil:
		return 0, false, nil
	case int64:
		return v, true, nil
	case []byte:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, true, err
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, true, err
	}
	return 0, false, fmt.Errorf("column %q (%s) holds no whole numbers", r.columns[column].Name, r.columns[column].Type)
}

func (r *driverRows) Time(column int) (time.Time, bool, error) {
	c := &r.columns[column]
	switch {
	case r.values[column] == nil:
		return time.Time{}, false, nil
	case c.moment == nil:
		return time.Time{}, false, fmt.Errorf("column %q (%s) holds no moments", c.Name, c.Type)
	}
	t, err := c.moment(r.values[column])
	return t, true, err
}

func (r *driverRows) Close() error {
	err := r.rows.Close()
	if r.close != nil {
		err = errors.Join(err, r.close())
	}
	return err
}

// Abandon lets go of the query.
func (r *driverRows) Abandon() {
	if r.abandon != nil {
		r.abandon()
	}
}

// Most drivers' values are one of two types; a third is a mistake that is told.

func asInt(v driver.Value) (int64, error) {
	switch n := v.(type) {
	case int64:
		return n, nil
	case []byte:
		return strconv.ParseInt(string(n), 10, 64)
	}
	return 0, fmt.Errorf("want a whole number, not %s", describe(v))
}

func asBytes(v driver.Value) ([]byte, error) {
	switch b := v.(type) {
	case []byte:
		return b, nil
	case string:
		return []byte(b), nil
	}
	return nil, fmt.Errorf("want a text or bytes, not %s", describe(v))
}

func describe(v driver.Value) string {
	switch n := v.(type) {
	case int64:
		return "the whole number " + strconv.FormatInt(n, 10)
	case float64:
		return "the number " + strconv.FormatFloat(n, 'g', -1, 64)
	case string:
		return fmt.Sprintf("the text %.60q", n)
	case []byte:
		return fmt.Sprintf("%d bytes", len(n))
	}
	return fmt.Sprintf("%T", v)
}

func encodeLong(dst []byte, v driver.Value) ([]byte, error) {
	n, err := asInt(v)
	return data.AppendLong(dst, n), err
}

func encodeBytes(dst []byte, v driver.Value) ([]byte, error) {
	switch b := v.(type) {
	case []byte:
		return data.AppendBytes(dst, b), nil
	case string:
		return data.AppendString(dst, b), nil
	}
	return dst, fmt.Errorf("want a text or bytes, not %s", describe(v))
}

// driverQuery runs a query without arguments and collects its values as texts.
func driverQuery(ctx context.Context, open func(context.Context, string) (driver.Rows, func() error, error), query string) (out [][]string, err error) {
	rows, closeRows, err := open(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close(), closeRows()) }()
	values := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		texts := make([]string, len(values))
		for i, v := range values {
			switch t := v.(type) {
			case nil:
			case []byte:
				texts[i] = string(t)
			default:
				texts[i] = fmt.Sprint(t)
			}
		}
		out = append(out, slices.Clone(texts))
	}
}
