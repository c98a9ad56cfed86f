package read

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/plan"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Source says what a Reader reads.
type Source struct {
	Spec plan.Spec
	// Name is the name of the record schema, the table's; empty for a query.
	Name string
	// Inc and Times are the plain names of the columns of the position. With Detect, Inc is found: the column that the
	// database numbers (mode incrementing without a column name), or the key of a table in mode bulk.
	Inc    string
	Times  []string
	Table  dialect.Table
	Detect bool
	// RequireNonNull is validate.non.null.
	RequireNonNull bool
	// Delay is timestamp.delay.interval.ms.
	Delay time.Duration
}

// Reader reads one table or query. It is used by one goroutine.
type Reader struct {
	db       dialect.Database
	source   Source
	prepared bool
	pos      plan.Position // behind the last row handed on
	decimals int

	rows    dialect.Rows
	schema  *data.Schema
	columns []dialect.Column
	inc     int
	times   []int
	limit   int
	count   int

	// In mode timestamp one row is held back until the next one tells whether its moment is complete.
	held, row []byte
	heldTime  time.Time
	isHeld    bool

	current, copied Write // of the query's row, of the held one; made once
}

// NewReader makes a reader that goes on at a stored position.
func NewReader(db dialect.Database, s Source, at plan.Position) *Reader {
	r := &Reader{db: db, source: s, pos: at, inc: -1}
	r.copied = func(dst []byte) ([]byte, error) { return append(dst, r.held...), nil }
	return r
}

// Write appends a row in the wire form of Connect.
type Write func(dst []byte) ([]byte, error)

// Emit takes a row: the schema, the way to its bytes, and where to go on behind it. It calls row once, before it returns, and gives
// its error back.
type Emit func(schema *data.Schema, row Write, at plan.Position) (more bool, err error)

// Fill hands on rows until emit says that it has enough, or there are none for now (done).
func (r *Reader) Fill(ctx context.Context, conn dialect.Conn, emit Emit) (done bool, err error) {
	defer func() {
		if err != nil {
			r.Drop()
		}
	}()
	if r.rows == nil {
		if err := r.begin(ctx, conn); err != nil {
			return false, err
		}
	}
	for {
		ok, err := r.rows.Next()
		if err != nil {
			return false, fmt.Errorf("read %s: %w", r.what(), err)
		}
		if !ok {
			return r.finish(emit)
		}
		r.count++
		more, err := r.hand(emit)
		if err != nil {
			return false, fmt.Errorf("read %s, row %d of the query: %w", r.what(), r.count, err)
		}
		if !more {
			return false, nil
		}
	}
}

// hand gives a row on, or in mode timestamp the one before it.
func (r *Reader) hand(emit Emit) (more bool, err error) {
	at, err := r.position()
	if err != nil {
		return false, err
	}
	if r.source.Spec.Mode != plan.Timestamp {
		if more, err = emit(r.schema, r.current, at); err == nil {
			r.pos = at
		}
		return more, err
	}
	if r.row, err = r.rows.Append(r.row[:0]); err != nil {
		return false, err
	}
	more = true
	if r.isHeld {
		more, err = r.release(!r.heldTime.Equal(at.Time), emit)
	}
	r.held, r.row = r.row, r.held
	r.heldTime, r.isHeld = at.Time, true
	return more, err
}

// release gives the held row on. Its moment is stored only when it is complete.
func (r *Reader) release(complete bool, emit Emit) (more bool, err error) {
	if complete {
		r.pos = plan.Position{HasTime: true, Time: r.heldTime}
	}
	r.isHeld = false
	return emit(r.schema, r.copied, r.pos)
}

func (r *Reader) finish(emit Emit) (done bool, err error) {
	if r.isHeld {
		if _, err := r.release(true, emit); err != nil {
			return false, err
		}
	}
	rows := r.rows
	r.rows = nil
	if err := rows.Close(); err != nil {
		return false, fmt.Errorf("read %s: %w", r.what(), err)
	}
	done = r.limit == 0 || r.count < r.limit
	if done && r.source.Spec.Mode == plan.Bulk {
		r.pos = plan.Position{} // the next time all over again
	}
	return done, nil
}

// Drop gives up the running query, whose connection must be closed then; the next Fill begins another behind the last row
// handed on.
func (r *Reader) Drop() {
	if r.rows != nil {
		r.rows.Abandon()
	}
	r.rows, r.isHeld = nil, false
}

// Running tells whether a query is open on the connection.
func (r *Reader) Running() bool { return r.rows != nil }

// Bulk in pages keeps its place over a lost connection; without a key it begins again.
func (r *Reader) position() (plan.Position, error) {
	var at plan.Position
	if r.inc >= 0 {
		n, ok, err := r.rows.Int(r.inc)
		if err != nil {
			return at, err
		}
		if !ok {
			return at, fmt.Errorf("the incrementing column %q is null", r.columns[r.inc].Name)
		}
		at.HasInc, at.Inc = true, n
	}
	for _, i := range r.times {
		t, ok, err := r.rows.Time(i)
		if err != nil {
			return at, err
		}
		if ok {
			at.HasTime, at.Time = true, t
			return at, nil
		}
	}
	if len(r.times) > 0 {
		return at, fmt.Errorf("the timestamp columns %v are all null", r.source.Times)
	}
	return at, nil
}

func (r *Reader) what() string {
	if r.source.Name != "" {
		return "table " + r.source.Table.String()
	}
	return "the query"
}

func (r *Reader) begin(ctx context.Context, conn dialect.Conn) error {
	if !r.prepared {
		if err := r.prepare(ctx, conn); err != nil {
			return err
		}
		r.prepared = true
	}
	var end time.Time
	if r.source.Spec.Mode.HasTime() {
		now, err := conn.Now(ctx)
		if err != nil {
			return err
		}
		end = plan.Floor(now.Add(-r.source.Delay), r.decimals)
	}
	q := plan.Next(r.source.Spec, r.pos, end, r.db)
	rows, err := conn.Open(ctx, q.SQL)
	if err != nil {
		return fmt.Errorf("read %s: %w", r.what(), err)
	}
	r.rows, r.limit, r.count = rows, q.Limit, 0
	r.current = rows.Append
	return r.adopt(rows.Columns())
}

// adopt makes the record schema of a result, or keeps the old one when nothing changed, so that records of one schema carry
// one pointer.
func (r *Reader) adopt(cols []dialect.Column) error {
	same := r.schema != nil && slices.EqualFunc(cols, r.columns, func(a, b dialect.Column) bool {
		return a.Name == b.Name && a.Nullable == b.Nullable && a.Schema.Equal(b.Schema)
	})
	if same {
		return nil
	}
	b := data.NewStruct()
	if r.source.Name != "" {
		b.Name(r.source.Name)
	}
	for _, c := range cols {
		b.Field(c.Name, c.Schema)
	}
	schema, err := b.Build()
	if err != nil {
		return fmt.Errorf("%s: %w; give columns of the same name different names in the query", r.what(), err)
	}
	r.schema, r.columns = schema, slices.Clone(cols)
	index := func(name string) int {
		return slices.IndexFunc(cols, func(c dialect.Column) bool { return c.Name == name })
	}
	if r.source.Inc != "" {
		if r.inc = index(r.source.Inc); r.inc < 0 {
			return fmt.Errorf("%s has no column %q; look at the key \"incrementing.column.name\"", r.what(), r.source.Inc)
		}
	}
	r.times = r.times[:0]
	for _, name := range r.source.Times {
		i := index(name)
		if i < 0 {
			return fmt.Errorf("%s has no column %q; look at the key \"timestamp.column.name\"", r.what(), name)
		}
		r.times = append(r.times, i)
	}
	return nil
}

// prepare finds out what the configuration leaves open, and checks that the columns can do what they are for.
func (r *Reader) prepare(ctx context.Context, conn dialect.Conn) error {
	s := &r.source
	if s.Spec.Verbatim != "" {
		return nil
	}
	if s.Detect && s.Inc == "" {
		key, err := conn.KeyColumn(ctx, s.Table)
		if err != nil {
			return err
		}
		switch {
		case key != "":
			s.Inc, s.Spec.Inc = key, r.db.Quote(key)
		case s.Spec.Mode != plan.Bulk || s.Spec.Split.Count > 1:
			return fmt.Errorf("%s has no primary key of one column of whole numbers; name the column in the key \"incrementing.column.name\"", r.what())
		}
	}
	if s.Spec.Mode == plan.Bulk {
		return nil
	}
	cols, err := conn.Columns(ctx, "SELECT * FROM "+s.Spec.From+" WHERE 1 = 0")
	if err != nil {
		return fmt.Errorf("look at the columns of %s: %w", r.what(), err)
	}
	find := func(name, key string) (dialect.Column, error) {
		for _, c := range cols {
			if c.Name == name {
				return c, nil
			}
		}
		return dialect.Column{}, fmt.Errorf("%s has no column %q; look at the key %q", r.what(), name, key)
	}
	if s.Inc != "" {
		c, err := find(s.Inc, "incrementing.column.name")
		switch {
		case err != nil:
			return err
		case !c.Whole:
			return fmt.Errorf("the incrementing column %q of %s is %s, which holds no whole numbers", s.Inc, r.what(), c.Type)
		case s.RequireNonNull && c.Nullable && r.db.Name() != "sqlite":
			return fmt.Errorf("the incrementing column %q of %s may be null; declare it NOT NULL, or set validate.non.null=false", s.Inc, r.what())
		}
	}
	for _, c := range cols {
		s.Spec.IncNullable = s.Spec.IncNullable || s.Inc != "" && c.Name == s.Inc && c.Nullable
	}
	nullable := len(s.Times) > 0
	for i, name := range s.Times {
		c, err := find(name, "timestamp.column.name")
		switch {
		case err != nil:
			return err
		case !c.Temporal:
			return fmt.Errorf("the timestamp column %q of %s is %s, which holds no moments", name, r.what(), c.Type)
		case i > 0 && c.Zoned != s.Spec.Zoned:
			return fmt.Errorf("the timestamp columns %v of %s mix types with and without a time zone", s.Times, r.what())
		}
		s.Spec.Zoned = c.Zoned
		r.decimals = c.Decimals
		nullable = nullable && c.Nullable
	}
	if nullable && s.RequireNonNull && r.db.Name() != "sqlite" {
		return fmt.Errorf("the timestamp columns %v of %s may all be null; declare one NOT NULL, or set validate.non.null=false", s.Times, r.what())
	}
	return nil
}
