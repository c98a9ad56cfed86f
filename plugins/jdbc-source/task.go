package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/plan"
	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/read"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// The source partitions of Kafka Connect's JDBC source.
const (
	tableKey    = "table"
	protocolKey = "protocol"
	queryKey    = "query"
	splitKey    = "split" // ours: one share of a table
)

var (
	incOffset  = data.NewStruct().Field(plan.IncrementingKey, data.Int64Schema).MustBuild()
	timeOffset = data.NewStruct().Field(plan.TimestampKey, data.Int64Schema).Field(plan.NanosKey, data.Int64Schema).MustBuild()
	bothOffset = data.NewStruct().Field(plan.TimestampKey, data.Int64Schema).Field(plan.NanosKey, data.Int64Schema).
			Field(plan.IncrementingKey, data.Int64Schema).MustBuild()
)

// task reads its tables in turn over one connection, one query at a time.
type task struct {
	cfg  config
	mode plan.Mode
	db   dialect.Database
	ctx  *connect.SourceContext

	conn     dialect.Conn
	query    context.Context // of the connection: it ends with it
	cancel   context.CancelFunc
	sources  []*source
	next     int
	failures int // in a row
}

// source is a table or query with what its records carry.
type source struct {
	*read.Reader
	topic     string
	partition *connect.Partition
	due       time.Time
}

func (t *task) Start(ctx context.Context, raw connect.Config, sc *connect.SourceContext) error {
	var s share
	if err := connect.BindWith(definition(), raw, &t.cfg); err != nil {
		return err
	}
	if err := connect.BindWith(definition(), raw, &s); err != nil {
		return err
	}
	if issues := t.cfg.conflicts(); len(issues) > 0 {
		return &connect.ConfigError{Issues: issues}
	}
	t.ctx = sc
	var err error
	if t.mode, err = plan.ParseMode(t.cfg.Mode); err != nil {
		return err
	}
	if t.db, _, err = t.cfg.database(); err != nil {
		return fmt.Errorf("key \"connection.url\": %w", err)
	}
	if t.cfg.query() != "" {
		return t.add(ctx, t.querySource(), t.cfg.Prefix, []map[string]any{{queryKey: queryKey}})
	}
	tables, err := decodeTables(s.Tables)
	if err != nil {
		return err
	}
	if len(tables) == 0 {
		return errors.New("the task was given no tables; that is a mistake of the connector")
	}
	for _, table := range tables {
		if err := t.addTable(ctx, table, int(s.Index)); err != nil {
			return err
		}
	}
	return nil
}

// readSource is what all sources have in common.
func (t *task) readSource(inc string, times []string) read.Source {
	s := read.Source{
		Spec:           plan.Spec{Mode: t.mode, Suffix: t.cfg.Suffix, PageRows: int(t.cfg.Page)},
		RequireNonNull: t.cfg.NonNull, Delay: t.cfg.Delay,
	}
	if t.mode.HasInc() && inc != "" {
		s.Inc, s.Spec.Inc = inc, t.db.Quote(inc)
	}
	if t.mode.HasTime() {
		if t.db.Name() == "sqlite" {
			// No index serves the two forms of a moment, so each page would sort the whole table: one query sorts it once.
			s.Spec.PageRows = 0
		}
		s.Times = times
		for _, name := range times {
			s.Spec.Times = append(s.Spec.Times, t.db.Quote(name))
		}
	}
	return s
}

func (t *task) querySource() read.Source {
	s := t.readSource(t.cfg.Inc, t.cfg.Times)
	query := strings.TrimSuffix(strings.TrimSpace(t.cfg.query()), ";")
	if t.mode == plan.Bulk {
		s.Spec.Verbatim = query
	} else {
		s.Spec.From = "(" + query + ") " + t.db.Quote("jdbc_source_query")
	}
	return s
}

func (t *task) addTable(ctx context.Context, table dialect.Table, split int) error {
	inc, times := t.cfg.Inc, t.cfg.Times
	if mapped, err := columnsOf(t.cfg.IncBy, "incrementing.column.mapping", table); err != nil && t.mode.HasInc() {
		return err
	} else if len(mapped) > 0 {
		inc = mapped[0]
	}
	if mapped, err := columnsOf(t.cfg.TimesBy, "timestamp.columns.mapping", table); err != nil && t.mode.HasTime() {
		return err
	} else if len(mapped) > 0 {
		times = mapped
	}
	s := t.readSource(inc, times)
	s.Table, s.Name = table, table.Name
	s.Detect = t.mode == plan.Bulk || t.mode.HasInc()
	for _, part := range []string{table.Catalog, table.Schema, table.Name} {
		if part != "" {
			if s.Spec.From != "" {
				s.Spec.From += "."
			}
			s.Spec.From += t.db.Quote(part)
		}
	}
	var partitions []map[string]any
	for _, name := range t.db.OffsetNames(table) {
		partitions = append(partitions, map[string]any{tableKey: name, protocolKey: "1"})
	}
	if t.cfg.Split > 1 {
		s.Spec.Split = plan.Split{Index: split, Count: int(t.cfg.Split), Keys: t.cfg.SplitKeys}
		own := maps.Clone(partitions[0])
		own[splitKey] = fmt.Sprintf("%d/%d/%d", split, t.cfg.Split, t.cfg.SplitKeys)
		partitions = append([]map[string]any{own}, partitions...)
	}
	// The offset of connectors before the year 2018, which had the bare name only.
	partitions = append(partitions, map[string]any{tableKey: table.Name})
	return t.add(ctx, s, topicOf(&t.cfg, table), partitions)
}

// add looks for a stored offset under each of the partitions. Records carry the first one, or the one that the table was
// read under so far, so that the connector can be given back as it was taken over.
func (t *task) add(ctx context.Context, s read.Source, topic string, partitions []map[string]any) error {
	own, at := partitions[0], plan.Position{}
	if t.mode != plan.Bulk {
		stored, err := t.ctx.Offsets().Offsets(ctx, partitions)
		if err != nil {
			return connect.Retriable(err, 0)
		}
		found := false
		for i, p := range partitions {
			o := stored[i]
			if len(o) == 0 {
				continue
			}
			if at, err = plan.FromOffset(o); err != nil {
				return fmt.Errorf("the stored offset of %v: %w; set or reset the offset of the connector", p, err)
			}
			if _, v1 := p[protocolKey]; v1 && t.cfg.Split <= 1 {
				own = p
			}
			found = true
			break
		}
		if !found {
			at = t.initial()
		}
	}
	p, err := t.ctx.Partition(own)
	if err != nil {
		return err
	}
	t.sources = append(t.sources, &source{Reader: read.NewReader(t.db, s, at), topic: topic, partition: p})
	return nil
}

// initial is where to begin without a stored offset.
func (t *task) initial() (at plan.Position) {
	if t.mode.HasInc() && t.cfg.IncInitial != nil {
		at.HasInc, at.Inc = true, *t.cfg.IncInitial
	}
	first := t.cfg.TimeInitial
	if first == nil {
		first = t.cfg.TimeAiven
	}
	if t.mode.HasTime() && first != nil {
		at.HasTime, at.Time = true, time.UnixMilli(*first).UTC()
		if *first == -1 {
			at.Time = time.Now().UTC()
		}
	}
	return at
}

// Poll reads on in the running query, or begins the one that has waited longest.
func (t *task) Poll(ctx context.Context, out *connect.Batch) error {
	now := time.Now()
	s := t.choose(now)
	if s == nil {
		out.PollAgainAfter(t.wait(now))
		return nil
	}
	if err := t.connect(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody wants the records any more
		}
		return t.retry(err, t.reconnects(), t.cfg.Backoff)
	}
	// A pause or drain ends the query: a server should not keep it open for hours.
	stop := context.AfterFunc(ctx, t.cancel)
	done, err := s.Fill(t.query, t.conn, t.emit(s, out)) //nolint:contextcheck // a query outlives the Poll that began it
	if stop(); err != nil || ctx.Err() != nil {
		t.disconnect()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // what was handed on counts, the rest is read again
		}
		if t.cfg.query() == "" && t.db.Missing(err) {
			// The connector takes the table from the tasks at its next look.
			t.ctx.Log().Warn("the table is gone; it is read on when it comes back", "topic", s.topic, "error", err)
			s.due = now.Add(max(t.cfg.Poll, time.Second))
			return nil
		}
		return t.retry(err, int(t.cfg.Retries), 0)
	}
	t.failures = 0
	if done {
		s.due = now.Add(t.cfg.Poll)
	}
	if out.Len() == 0 {
		out.PollAgainAfter(t.wait(time.Now()))
	}
	return nil
}

// choose gives the source to read: the one with a running query, else the next that is due.
func (t *task) choose(now time.Time) *source {
	for _, s := range t.sources {
		if s.Running() {
			return s
		}
	}
	for i := range t.sources {
		s := t.sources[(t.next+i)%len(t.sources)]
		if !s.due.After(now) {
			t.next += i + 1
			return s
		}
	}
	return nil
}

func (t *task) wait(now time.Time) time.Duration {
	first := t.sources[0].due
	for _, s := range t.sources {
		if s.due.Before(first) {
			first = s.due
		}
	}
	return max(first.Sub(now), 0)
}

// emit writes rows into the batch, each with its offset.
func (t *task) emit(s *source, out *connect.Batch) read.Emit {
	left := int(t.cfg.Batch)
	return func(schema *data.Schema, row read.Write, at plan.Position) (more bool, err error) {
		rec := out.Record(s.topic, s.partition)
		if err := rec.ValueAppend(schema, row); err != nil {
			return false, err
		}
		switch {
		case t.mode == plan.Bulk || !at.HasInc && !at.HasTime: // no offset: it moves none
		case !at.HasTime:
			rec.OffsetLong(incOffset, at.Inc)
		default:
			millis, nanos := plan.TimeParts(at.Time)
			if at.HasInc {
				rec.Offset(bothOffset).Int64(millis).Int64(nanos).Int64(at.Inc)
			} else {
				rec.Offset(timeOffset).Int64(millis).Int64(nanos)
			}
		}
		left--
		return left > 0 && !out.Full(), nil
	}
}

func (t *task) connect(ctx context.Context) error {
	if t.conn != nil {
		return nil
	}
	conn, err := t.db.Connect(ctx)
	if err != nil {
		return err
	}
	t.conn = conn
	t.query, t.cancel = context.WithCancel(context.Background())
	return nil
}

func (t *task) disconnect() {
	for _, s := range t.sources {
		s.Drop()
	}
	if t.conn != nil {
		t.cancel()
		t.conn.Close()
		t.conn = nil
	}
}

// reconnects is how often connecting is tried again, -1 without end.
func (t *task) reconnects() int {
	if t.cfg.Attempts > 0 {
		return int(t.cfg.Attempts) - 1
	}
	return int(t.cfg.Attempts)
}

// retry tells whether an error may pass by itself, and counts those in a row.
func (t *task) retry(err error, limit int, after time.Duration) error {
	var null *dialect.NullError
	if !t.db.Retriable(err) && !errors.As(err, &null) {
		return err
	}
	if t.failures++; limit >= 0 && t.failures > limit {
		return fmt.Errorf("after %d attempts: %w", t.failures, err)
	}
	return connect.Retriable(err, after)
}

func (t *task) Stop(context.Context) error {
	t.disconnect()
	return nil
}
