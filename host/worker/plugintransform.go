package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// maxStepRecords bounds one batch for a transform of a plugin, beside its bytes.
const maxStepRecords = 2000

// pluginTransform is a step of a chain that runs in a plugin: in the connector's own process when the plugin is
// the same, else in one beside it. A process that dies or hangs is replaced, and gets the records again that it
// had not answered. One goroutine uses it.
type pluginTransform struct {
	*runner
	share    *share // the connector's
	step     config.Transform
	resolved plugin.ResolvedTransform
	policy   task.ErrorPolicy
	retrying func(err error, after time.Duration)

	ctx      context.Context // ends with the task
	instance *plugin.Instance
	stream   *plugin.TransformStream
	history  plugin.Restarts
	since    time.Time // when the process was asked for

	builder wire.SourceBatchBuilder
	scratch []byte
	todo    []*transform.Record
	sent    []*transform.Record // in the builder
}

// pluginSteps are the steps of one task's chain that run in plugins.
type pluginSteps struct {
	*runner
	share    *share
	policy   task.ErrorPolicy
	retrying func(err error, after time.Duration)
	open     []*pluginTransform
}

// previewSteps are those of a preview, which tells nobody that it tries again.
func (r *runner) previewSteps(s *share) *pluginSteps {
	return &pluginSteps{runner: r, share: s, policy: errorPolicy(s.connector.Errors), retrying: func(error, time.Duration) {}}
}

// build is a transform.Others.
func (p *pluginSteps) build(step config.Transform) (transform.Transform, string, error) {
	t, err := p.newPluginTransform(p.share, step, p.policy, p.retrying)
	if err != nil {
		return nil, "", err
	}
	p.open = append(p.open, t)
	return t, t.resolved.Transform.Name, nil
}

// close ends the steps; nobody uses them any more.
func (p *pluginSteps) close() {
	for _, t := range p.open {
		t.close()
	}
	p.open = nil
}

// newPluginTransform resolves a step and starts it, so that a wrong option fails the task at its start.
func (r *runner) newPluginTransform(s *share, step config.Transform, policy task.ErrorPolicy, retrying func(error, time.Duration)) (*pluginTransform, error) {
	ctx, cancel := context.WithTimeout(r.life, resolveTimeout)
	defer cancel()
	resolved, err := r.w.cfg.Plugins.ResolveTransform(ctx, step.Class, step.PluginVersion)
	if err != nil {
		return nil, err
	}
	addPasswords(s.masker, resolved.Transform.ConfigKeys, step.Config)
	t := &pluginTransform{runner: r, share: s, step: step, resolved: resolved, policy: policy, retrying: retrying, ctx: r.life}
	r.mu.Lock()
	r.others = append(r.others, resolved.Plugin.Path)
	r.mu.Unlock()
	if err := t.open(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// Bind ends with the task whatever the step waits for.
func (t *pluginTransform) Bind(ctx context.Context) { t.ctx = ctx }

func (t *pluginTransform) open() error {
	if t.stream != nil {
		return nil
	}
	t.since = time.Now()
	process := t.share.connector.Process
	isolation, err := plugin.ParseIsolation(string(process.Isolation))
	if err != nil {
		return err
	}
	launch := plugin.Launch{
		Plugin: t.resolved.Plugin, Connector: t.name, Task: t.task, Isolation: isolation,
		Limits: limits(process), Mask: t.share.masker.Text,
	}
	if t.resolved.Plugin.Path == t.share.resolved.Plugin.Path {
		launch.Env = process.Env // I-9: what is granted to the connector is for its own plugin
	}
	if t.instance, err = t.w.cfg.Processes.Acquire(t.ctx, launch); err != nil {
		return err
	}
	t.stream, err = t.instance.OpenTransform(t.ctx, plugin.TransformStart{
		Epoch: t.w.epochs.Add(1), Transform: t.resolved.Transform.Name, Connector: t.name, Alias: t.step.Alias,
		Config: t.step.Config, LogLevel: t.w.cfg.LogLevel(t.name),
		Metrics: func(samples []plugin.Metric) { t.measured(samples, t.share.masker.Text) },
	})
	return err
}

func (t *pluginTransform) close() {
	if t.stream != nil {
		t.stream.Close()
		t.stream = nil
	}
	if t.instance != nil {
		t.instance.Release()
		t.instance = nil
	}
}

// Apply sends the selected records through the plugin; see transform.Transform.
func (t *pluginTransform) Apply(b *transform.Batch) {
	t.todo = t.todo[:0]
	for i := range b.Len() {
		if r := b.At(i); r.Selected() {
			t.todo = append(t.todo, r)
		}
	}
	began := time.Now()
	for attempt := 1; len(t.todo) > 0; attempt++ {
		again := t.pass()
		if len(again) == 0 {
			return
		}
		err := again[0].Failure().Err
		wait, more := t.policy.RetryWait(attempt, time.Since(began), rand.Float64()) //nolint:gosec // not a secret
		if !more || !t.wait(wait, err) {
			return
		}
		for _, r := range again {
			r.Recover()
		}
		t.todo = again
	}
}

// pass gives all records to the plugin once and returns those whose failure may pass.
func (t *pluginTransform) pass() (again []*transform.Record) {
	for list := t.todo; len(list) > 0; {
		n, err := t.deliver(list)
		if err != nil {
			for _, r := range list {
				r.Fail(&stepError{t.step.Alias, err})
			}
			return nil
		}
		for _, r := range list[:n] {
			var remote *plugin.RemoteError
			if f := r.Failure(); f != nil && errors.As(f.Err, &remote) && remote.Retriable {
				again = append(again, r)
			}
		}
		list = list[n:]
	}
	return again
}

// deliver sends as many of the records as a batch takes, to one process after the other until one answers.
func (t *pluginTransform) deliver(list []*transform.Record) (n int, err error) {
	for {
		err := t.open()
		if err == nil {
			n = t.fill(list)
			if len(t.sent) == 0 {
				return n, nil
			}
			var answers []plugin.Applied
			if answers, err = t.stream.Apply(t.ctx, &t.builder); err == nil {
				t.take(answers)
				if time.Since(t.since) > time.Second {
					t.history = plugin.Restarts{} // it works
				}
				return n, nil
			}
		}
		if err = t.replace(err); err != nil {
			return 0, err
		}
	}
}

// replace gives up a process that died or hangs, and waits until the next may be started; other errors come back.
func (t *pluginTransform) replace(cause error) error {
	var death *plugin.DeathError
	var hang *plugin.TimeoutError
	switch {
	case t.ctx.Err() != nil:
		return convert.ErrStopped
	case errors.As(cause, &hang):
		if t.instance != nil {
			t.instance.Kill() // user code that hangs cannot be ended in another way
		}
	case errors.As(cause, &death):
	default:
		return cause
	}
	t.close()
	delay, history := plugin.DefaultBackoff.Next(t.history, time.Since(t.since), jitter())
	t.history = history
	if !t.wait(delay, cause) {
		return convert.ErrStopped
	}
	return nil
}

// wait tells why the task tries again; false when it is to stop.
func (t *pluginTransform) wait(delay time.Duration, cause error) bool {
	t.retrying(fmt.Errorf("transform %s (%s): %w; its records are sent again", t.step.Alias, t.step.Class, cause), delay)
	select {
	case <-time.After(delay):
		return t.ctx.Err() == nil
	case <-t.stopping:
	case <-t.ctx.Done():
	}
	return false
}

// fill writes records from the first on into the builder, and returns how many were dealt with. A record that
// cannot be written fails.
func (t *pluginTransform) fill(list []*transform.Record) (n int) {
	t.builder.Reset()
	t.sent = t.sent[:0]
	for _, r := range list {
		if len(t.sent) >= maxStepRecords || len(t.builder.Block) >= wire.TargetBlockBytes {
			break
		}
		begin := len(t.builder.Block)
		err := t.append(r)
		size := len(t.builder.Block) - begin
		if err == nil && size > wire.MaxFrameBytes {
			err = fmt.Errorf("the record takes %d bytes for the plugin, and a frame holds %d", size, wire.MaxFrameBytes)
		}
		switch {
		case err != nil:
			t.builder.Undo(begin)
			r.Fail(err)
		case len(t.builder.Block) > wire.MaxFrameBytes:
			t.builder.Undo(begin) // it is the first of the next batch
			return n
		default:
			t.builder.EndOffset(0)
			t.sent = append(t.sent, r)
		}
		n++
	}
	return n
}

func (t *pluginTransform) append(r *transform.Record) error {
	b := &t.builder
	timestamp := r.Timestamp
	if timestamp == transform.NoTimestamp {
		timestamp = wire.NoTimestamp
	}
	b.Begin(wire.RecordHead{Topic: b.TopicIndex(r.Topic), KafkaPartition: r.Partition, TimestampMillis: timestamp})
	id, err := t.part(&r.Key)
	if err != nil {
		return err
	}
	b.EndKey(id)
	if id, err = t.part(&r.Value); err != nil {
		return err
	}
	b.EndValue(id)
	list, err := r.Headers.All()
	if err != nil {
		return err
	}
	for i := range list {
		h := &list[i]
		raw, scratch, err := h.Value.Wire(t.scratch[:0])
		if err != nil {
			return fmt.Errorf("header %q: %w", h.Name, err)
		}
		t.scratch = scratch[:0]
		if id, err = t.stream.Schemas().ID(h.Value.Schema()); err != nil {
			return err
		}
		if id == 0 && len(raw) == 0 {
			raw = nullHeader
		}
		b.Block = wire.AppendHeader(b.Block, h.Name, id, raw)
	}
	b.EndHeaders()
	return nil
}

// nullHeader is null written in full, where no bytes at all may stand for it.
var nullHeader = data.AppendLong(nil, data.AnyNull)

func (t *pluginTransform) part(c *transform.Cell) (uint32, error) {
	raw, scratch, err := c.Wire(t.scratch[:0])
	if err != nil {
		return 0, err
	}
	t.scratch = scratch[:0]
	t.builder.Block = append(t.builder.Block, raw...)
	return t.stream.Schemas().ID(c.Schema())
}

// take carries out what the plugin answered.
func (t *pluginTransform) take(answers []plugin.Applied) {
	for i := range answers {
		a := &answers[i]
		var cursor wire.SourceCursor
		if a.Replaced != nil {
			cursor = a.Replaced.Cursor()
		}
		failed := 0
		for j := range a.Count {
			r := t.sent[a.First+j]
			switch a.Outcome(j) {
			case plugin.OutcomeKept:
			case plugin.OutcomeDropped:
				r.Drop()
			case plugin.OutcomeReplaced:
				var in wire.SourceRecord
				cursor.Next(&in)
				change(r, &in, a.Replaced)
			case plugin.OutcomeFailed:
				r.Fail(a.Errors[failed])
				failed++
			}
		}
	}
}

func change(r *transform.Record, in *wire.SourceRecord, batch *wire.SourceBatch) {
	schemas := batch.Schemas()
	r.Topic, r.Partition, r.Timestamp = batch.Topics()[in.Topic], in.KafkaPartition, in.TimestampMillis
	if in.TimestampMillis == wire.NoTimestamp {
		r.Timestamp = transform.NoTimestamp
	}
	r.Key.SetWire(schemas.Get(in.KeySchema), in.Key)
	r.Value.SetWire(schemas.Get(in.ValueSchema), in.Value)
	r.Headers.SetWire(in.Headers, schemas)
}

// stepError ends the task: nothing is wrong with its record, whatever errors.tolerance says.
type stepError struct {
	alias string
	cause error
}

func (e *stepError) Error() string { return "transform " + e.alias + ": " + e.cause.Error() }

func (e *stepError) Unwrap() error { return e.cause }

// Is makes it one of the failures that are no fault of a record.
func (*stepError) Is(target error) bool { return target == convert.ErrStopped }
