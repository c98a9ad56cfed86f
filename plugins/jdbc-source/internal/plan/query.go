package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Mode says how new rows are found.
type Mode uint8

// The modes.
const (
	Bulk Mode = iota
	Incrementing
	Timestamp
	TimestampIncrementing
)

// ParseMode reads the value of the key "mode".
func ParseMode(text string) (Mode, error) {
	for m, name := range modeNames {
		if text == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("want one of %s", strings.Join(modeNames[:], ", "))
}

var modeNames = [...]string{"bulk", "incrementing", "timestamp", "timestamp+incrementing"}

func (m Mode) String() string { return modeNames[m] }

// HasInc and HasTime tell which columns the mode needs.
func (m Mode) HasInc() bool { return m == Incrementing || m == TimestampIncrementing }

// HasTime tells whether the mode needs timestamp columns.
func (m Mode) HasTime() bool { return m == Timestamp || m == TimestampIncrementing }

// Renderer is what differs between databases.
type Renderer interface {
	// TimeExpr is the moment of a row: the first of the (quoted) columns that is not null, in a form that compares
	// with TimeLiteral.
	TimeExpr(columns []string) string
	// TimeHint is a condition that every row holds whose moment is at least from and before to, such that an index can serve it;
	// empty where TimeExpr itself can be found by an index.
	TimeHint(columns []string, from, to time.Time) string
	// TimeLiteral is a moment as text of a query. zoned says that the columns know their time zone.
	TimeLiteral(t time.Time, zoned bool) string
	// Quotient is the whole quotient of a column and a constant.
	Quotient(column string, by int64) string
}

// Spec says what to read.
type Spec struct {
	Mode Mode
	// From is the quoted name of the table, or a query of the user in parentheses with an alias.
	From string
	// Verbatim is a query to run as it is, in mode bulk only.
	Verbatim string
	// Suffix is appended to every query.
	Suffix string
	// Inc is the quoted incrementing column. In mode bulk it is optional: a unique key by which a table is read in pages.
	Inc string
	// IncNullable says that rows without a number are left out, in mode incrementing.
	IncNullable bool
	// Times are the quoted timestamp columns.
	Times []string
	Zoned bool
	// Split shares the rows of a table among tasks by stripes of the incrementing key.
	Split Split
	// PageRows bounds a query in the modes whose position is unique for each row.
	PageRows int
}

// Split is one of Count shares of a table: stripes of Keys consecutive keys, dealt out in turn. Which share a key belongs
// to never changes, so the shares' offsets stay good over restarts and growth of the table.
type Split struct {
	Index, Count int
	Keys         int64
}

// Query is what to run next. Limit is 0 for a query without a limit; otherwise a result of fewer rows is the last.
type Query struct {
	SQL   string
	Limit int
}

// Next is the query for the rows behind pos, and before end in the modes with a timestamp.
func Next(s Spec, pos Position, end time.Time, r Renderer) Query {
	if s.Verbatim != "" {
		return Query{SQL: join(s.Verbatim, s.Suffix)}
	}
	var where []string
	var order string
	paged := s.Inc != ""
	switch {
	case s.Mode.HasTime():
		expr := r.TimeExpr(s.Times)
		where, order = append(where, expr+" < "+r.TimeLiteral(end, s.Zoned)), expr
		if pos.HasTime {
			last := r.TimeLiteral(pos.Time, s.Zoned)
			switch {
			case s.Mode == TimestampIncrementing && pos.HasInc:
				where = append(where, expr+" >= "+last,
					"("+expr+" > "+last+" OR "+s.Inc+" > "+strconv.FormatInt(pos.Inc, 10)+")")
			default:
				where = append(where, expr+" > "+last)
			}
			if hint := r.TimeHint(s.Times, pos.Time, end); hint != "" {
				where = append(where, hint)
			}
		} else {
			where = append(where, expr+" IS NOT NULL")
		}
		if s.Mode == TimestampIncrementing {
			order += ", " + s.Inc
		} else {
			paged = false // rows of one moment must not be torn apart: the result is streamed
		}
	case s.Inc != "":
		order = s.Inc
		if pos.HasInc {
			where = append(where, s.Inc+" > "+strconv.FormatInt(pos.Inc, 10))
		} else if s.IncNullable {
			where = append(where, s.Inc+" IS NOT NULL")
		}
	}
	if s.Split.Count > 1 {
		n := strconv.Itoa(s.Split.Count)
		where = append(where, "(("+r.Quotient(s.Inc, s.Split.Keys)+") % "+n+" + "+n+") % "+n+" = "+strconv.Itoa(s.Split.Index))
	}
	parts := []string{"SELECT * FROM " + s.From}
	if len(where) > 0 {
		parts = append(parts, "WHERE "+strings.Join(where, " AND "))
	}
	if order != "" {
		parts = append(parts, "ORDER BY "+order)
	}
	q := Query{}
	if paged && s.PageRows > 0 && s.Suffix == "" {
		q.Limit = s.PageRows
		parts = append(parts, "LIMIT "+strconv.Itoa(s.PageRows))
	}
	q.SQL = join(strings.Join(parts, " "), s.Suffix)
	return q
}

// Floor cuts a moment to a number of decimals of a second. A query's end is cut to what the column can hold: otherwise rows
// of one second, in a column without fractions, could be torn apart by a query within that second.
func Floor(t time.Time, decimals int) time.Time {
	unit := time.Second
	for range min(max(decimals, 0), 9) {
		unit /= 10
	}
	return t.UTC().Truncate(unit)
}

func join(query, suffix string) string {
	if suffix = strings.TrimSpace(suffix); suffix == "" {
		return query
	}
	return query + " " + suffix
}
