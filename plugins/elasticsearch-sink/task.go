package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/document"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/flow"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/rest"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

const (
	// putPatience is how long Put waits for room before it says in the status what it waits for and is called again.
	putPatience = 2 * time.Second
	// retryPause is the wait before that.
	retryPause = 100 * time.Millisecond
	// maxPlans bounds the schemas that are remembered.
	maxPlans = 1000
)

// task turns records into the lines of bulk requests, which the lanes of a flow send. Its methods run in one goroutine;
// only the flow has others.
type task struct {
	cfg     config
	ctx     *connect.SinkContext
	client  *rest.Client
	flow    *flow.Flow
	targets *targets
	routing []string
	upsert  bool
	stream  bool

	parts   map[connect.TopicPartition]*flow.Partition
	open    []*flow.Batch // by lane, nil when the lane has it
	current int           // the lane that fills when documents need no order
	seed    maphash.Seed
	plans   map[*data.Schema]*document.Plan
	plan    *document.Plan
	planOf  *data.Schema

	id, quotedID, route, quotedRoute []byte
}

func (t *task) Start(_ context.Context, raw connect.Config, sc *connect.SinkContext) error {
	cfg, err := parse(raw)
	if err != nil {
		return err
	}
	t.cfg, t.ctx, t.seed = cfg, sc, maphash.MakeSeed()
	t.upsert, t.stream = cfg.WriteMethod == "UPSERT", cfg.stream()
	t.parts, t.plans = map[connect.TopicPartition]*flow.Partition{}, map[*data.Schema]*document.Plan{}
	if cfg.RoutingField != "" {
		t.routing = strings.Split(cfg.RoutingField, ".")
	}
	if t.targets, err = newTargets(cfg); err != nil {
		return err
	}
	if t.client, err = cfg.client(); err != nil {
		return err
	}
	lanes := int(cfg.InFlight)
	t.open = make([]*flow.Batch, lanes)
	t.flow = flow.New(flow.Config{ //nolint:contextcheck // it outlives Start; Stop ends it
		Sender: t.client, Lanes: lanes,
		// A lane holds two batches: one on the way, one that fills. // I-4
		BatchItems: min(int(cfg.BatchSize), max(int(cfg.MaxBuffered)/(2*lanes), 1)), BatchBytes: int(cfg.BulkBytes),
		Linger: cfg.Linger, MaxRetries: int(cfg.MaxRetries), RetryBackoff: cfg.Backoff,
		Passes: rest.Passes, MustDivide: rest.MustDivide,
	})
	return nil
}

func (t *task) Put(ctx context.Context, records *connect.SinkBatch) error {
	defer t.giveAll()
	if err := t.outcomes(); err != nil {
		return err
	}
	for tp, run := range records.Partitions() {
		part := t.parts[tp]
		if part == nil {
			part = &flow.Partition{Topic: tp.Topic, Number: tp.Partition}
			t.parts[tp] = part
		}
		for rec := range run {
			if err := t.add(ctx, rec, part); err != nil {
				return err
			}
			records.Done(rec) // it is in the flow: a Put that is tried again goes on behind
		}
	}
	return t.outcomes()
}

// add puts one record into a batch.
func (t *task) add(ctx context.Context, rec *connect.SinkRecord, part *flow.Partition) error {
	err := t.write(ctx, rec, part)
	var bad *document.Error
	if !errors.As(err, &bad) {
		return err
	}
	bad = &document.Error{Reason: fmt.Sprintf("record %s-%d offset %d cannot be a document: %s", part.Topic, part.Number, rec.Offset(), bad.Reason)}
	switch {
	case t.ctx.CanReport():
		t.ctx.Report(rec, bad)
	case t.cfg.DropInvalid:
		t.ctx.Log().Warn("left out, as drop.invalid.message says", "error", bad)
	default:
		return fmt.Errorf("%w; to go on without it set drop.invalid.message=true or an errors.deadletterqueue.topic.name", bad)
	}
	return nil
}

// write is the hot path: the value goes from its wire form into the body of a request.
func (t *task) write(ctx context.Context, rec *connect.SinkRecord, part *flow.Partition) error {
	to, err := t.targets.of(rec.Topic(), rec.TimestampMillis())
	if err != nil {
		return err
	}
	plan, err := t.planFor(rec.ValueSchema())
	if err != nil {
		return err
	}
	gone := plan.Null(rec.ValueWire())
	if gone {
		switch {
		case t.cfg.OnNull == "IGNORE":
			return nil
		case t.cfg.OnNull == "DELETE" && !to.keyIgnore:
		default:
			return &document.Error{Reason: "its value is null and behavior.on.null.values is " + t.cfg.OnNull}
		}
	} else if err := t.ready(ctx, to, rec.ValueSchema()); err != nil {
		return err
	}
	if err := t.name(rec, to); err != nil {
		return err
	}
	action := bulk.Action{ID: t.quotedID, Version: -1}
	if t.cfg.Routing {
		if action.Routing, err = t.routeOf(rec); err != nil {
			return err
		}
	}
	var item bulk.Item
	lane := t.current
	if !to.keyIgnore {
		item.Doc = maphash.Bytes(t.seed, t.id)
		lane = int(item.Doc % uint64(len(t.open))) // I-6: one lane, one order
	} else {
		item.Doc = rec.Seq() // documents of their own
	}
	b, err := t.batch(ctx, lane)
	if err != nil {
		return err
	}
	if err := t.encode(b, &item, &action, to, plan, rec, gone); err != nil {
		return err
	}
	b.Items = append(b.Items, item)
	b.Refs = append(b.Refs, flow.Ref{Part: part, Offset: rec.Offset(), Seq: rec.Seq()})
	if t.flow.Full(b) {
		t.give(lane)
		t.current = (t.current + 1) % len(t.open)
	}
	return nil
}

// ready makes sure that there is an index with a mapping.
func (t *task) ready(ctx context.Context, to *target, s *data.Schema) error {
	err := t.targets.prepare(ctx, t.client, to, s)
	var bad *document.Error
	if err == nil || errors.As(err, &bad) {
		return err
	}
	if rest.Passes(err) && ctx.Err() == nil {
		return connect.Retriable(err, 0)
	}
	return err
}

// name sets the id.
func (t *task) name(rec *connect.SinkRecord, to *target) (err error) {
	t.id = t.id[:0]
	if to.keyIgnore {
		t.id = append(append(t.id, rec.Origin().Topic...), '+')
		t.id = strconv.AppendInt(t.id, int64(rec.KafkaPartition()), 10)
		t.id = strconv.AppendInt(append(t.id, '+'), rec.Offset(), 10)
	} else if t.id, err = document.AppendID(t.id, rec.KeySchema(), rec.KeyWire()); err != nil {
		return err
	}
	t.quotedID = document.AppendString(t.quotedID[:0], t.id)
	return nil
}

// routeOf is the routing value as JSON; nil for none.
func (t *task) routeOf(rec *connect.SinkRecord) (_ []byte, err error) {
	var ok bool
	if t.routing == nil {
		t.route, ok, err = document.AppendField(t.route[:0], rec.KeySchema(), rec.KeyWire(), nil)
	} else {
		t.route, ok, err = document.AppendField(t.route[:0], rec.ValueSchema(), rec.ValueWire(), t.routing)
	}
	if err != nil {
		return nil, &document.Error{Reason: "its routing cannot be read: " + err.Error()}
	}
	if !ok || len(t.route) == 0 {
		return nil, nil
	}
	t.quotedRoute = document.AppendString(t.quotedRoute[:0], t.route)
	return t.quotedRoute, nil
}

// encode appends the lines of an item; on an error the batch is as before.
func (t *task) encode(b *flow.Batch, item *bulk.Item, action *bulk.Action, to *target, plan *document.Plan, rec *connect.SinkRecord, gone bool) error {
	start, out := len(b.Body), b.Body
	upsert := t.upsert
	timestamp, tail := int64(-1), "\n"
	if !to.keyIgnore && !upsert && !t.stream {
		// The offset orders the writes of a document for ever: after a restart, older ones are refused as done.
		action.Version, item.Versioned = rec.Offset(), true
	}
	switch {
	case gone:
		b.Body = to.verbs.AppendDelete(out, action)
		item.End = len(b.Body)
		return nil
	case t.stream:
		out, timestamp = to.verbs.AppendCreate(out, action), max(rec.TimestampMillis(), 0)
	case upsert:
		out, tail = to.verbs.AppendUpdate(out, action), bulk.EndUpdate+"\n"
	default:
		out = to.verbs.AppendIndex(out, action)
	}
	out, err := plan.Append(out, rec.ValueWire(), timestamp)
	if err != nil {
		b.Body = out[:start]
		return err
	}
	b.Body = append(out, tail...)
	item.End = len(b.Body)
	return nil
}

func (t *task) planFor(s *data.Schema) (*document.Plan, error) {
	if t.plan != nil && t.planOf == s {
		return t.plan, nil
	}
	p := t.plans[s]
	if p == nil {
		var err error
		if p, err = document.NewPlan(s, document.Options{CompactMaps: t.cfg.CompactMaps}); err != nil {
			return nil, err
		}
		if len(t.plans) >= maxPlans {
			clear(t.plans)
		}
		t.plans[s] = p
	}
	t.plan, t.planOf = p, s
	return p, nil
}

// batch is the open batch of a lane. It waits for room while the lane has a full one, but not for long: the status is to tell.
func (t *task) batch(ctx context.Context, lane int) (*flow.Batch, error) {
	if b := t.open[lane]; b != nil {
		return b, nil
	}
	var patience *time.Timer
	for {
		if b, ok := t.flow.Open(lane); ok {
			t.open[lane] = b
			return b, nil
		}
		state := t.flow.State()
		if state.Failure != nil {
			return nil, state.Failure
		}
		if patience == nil {
			patience = time.NewTimer(putPatience)
			defer patience.Stop()
		}
		select {
		case <-t.flow.Changed():
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return nil, connect.Retriable(waiting(state), retryPause)
		}
	}
}

func waiting(s flow.State) error {
	if s.Trouble != nil {
		return fmt.Errorf("%d records wait for the server, which is being tried again: %w", s.Outstanding, s.Trouble)
	}
	return fmt.Errorf("%d records wait for the server, which has not answered yet", s.Outstanding)
}

func (t *task) give(lane int) {
	if b := t.open[lane]; b != nil {
		t.open[lane] = nil
		t.flow.Give(lane, b)
	}
}

func (t *task) giveAll() {
	for lane := range t.open {
		t.give(lane)
	}
}

// outcomes takes what the lanes brought back and reports what the server refused. One line in the log tells of all of them: there may be
// thousands.
func (t *task) outcomes() error {
	var first *flow.Outcome
	refused := 0
	for _, o := range t.flow.Errant() {
		if o.Ref.Part.Dropped {
			continue // it comes again, here or elsewhere
		}
		err := fmt.Errorf("record %s: %w", o.Ref, o.Err)
		if t.cfg.OnMalformed == "FAIL" {
			return fmt.Errorf("%w; to go on without such documents set behavior.on.malformed.documents=warn", err)
		}
		if refused++; first == nil {
			first = &o
		}
		if t.ctx.CanReport() {
			t.ctx.ReportSeq(connect.RecordError{Seq: o.Ref.Seq, Err: classed{err, o.Err}})
		}
	}
	if first != nil {
		log := t.ctx.Log().Debug
		if t.cfg.OnMalformed == "WARN" {
			log = t.ctx.Log().Warn
		}
		log("the server refused documents", "count", refused, "first", first.Ref.String(), "error", t.loggable(first.Err))
	}
	return t.flow.State().Failure
}

// loggable leaves out what may quote a document. // I-9
func (t *task) loggable(err error) string {
	var f *bulk.Failure
	if !t.cfg.LogSensitive && errors.As(err, &f) {
		return fmt.Sprintf("status %d, %s (log.sensitive.data=true tells the reason)", f.Status, f.Type)
	}
	return err.Error()
}

// classed is an error with the class name of its cause.
type classed struct {
	error
	cause error
}

func (c classed) ClassName() string {
	var named connect.ClassedError
	if errors.As(c.cause, &named) {
		return named.ClassName()
	}
	return ""
}

// PreCommit waits until the server has confirmed everything that was put. // I-2
func (t *task) PreCommit(ctx context.Context, current connect.Offsets) (connect.Offsets, error) {
	err := t.settle(ctx)
	if err == nil {
		err = t.outcomes()
	}
	if err != nil {
		t.drop(nil) // all come again
		return nil, err
	}
	return current, nil
}

func (t *task) settle(ctx context.Context) error {
	t.giveAll()
	t.flow.Flush()
	defer t.flow.Unflush()
	timeout := time.NewTimer(t.cfg.Flush)
	defer timeout.Stop()
	for {
		state := t.flow.State()
		switch {
		case state.Failure != nil:
			return state.Failure
		case state.Outstanding == 0:
			return nil
		}
		select {
		case <-t.flow.Changed():
		case <-ctx.Done():
			return errors.Join(waiting(state), ctx.Err())
		case <-timeout.C:
			return fmt.Errorf("not within flush.timeout.ms (%v): %w", t.cfg.Flush, waiting(state))
		}
	}
}

// drop forgets records that nobody waits for any more; nil means of all partitions.
func (t *task) drop(tps []connect.TopicPartition) {
	if tps == nil {
		for tp := range t.parts {
			tps = append(tps, tp)
		}
	}
	for _, tp := range tps {
		if p := t.parts[tp]; p != nil {
			p.Dropped = true
			delete(t.parts, tp)
		}
	}
}

func (t *task) Open(context.Context, []connect.TopicPartition) error { return nil }

// Close lets go of partitions. What is still on the way of lost ones is harmless: their new owner writes it again.
func (t *task) Close(_ context.Context, partitions []connect.TopicPartition, _ bool) error {
	t.drop(partitions)
	return nil
}

func (t *task) Stop(context.Context) error {
	if t.flow != nil {
		t.flow.Close()
	}
	if t.client != nil {
		t.client.Close()
	}
	return nil
}
