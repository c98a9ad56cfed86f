package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// previewSink takes the newest records of a sink's topics through its converters and transforms. The
// plugin is not needed for that.
func (r *runner) previewSink(ctx context.Context, s *share, request PreviewRequest) (Preview, error) {
	ctx, cancel := context.WithTimeout(ctx, request.Time)
	defer cancel()
	topics, err := r.sinkTopics(ctx, s.connector)
	if err != nil {
		return Preview{}, err
	}
	tail, err := r.openTail(ctx, s, topics, request.Records)
	if err != nil {
		return Preview{}, err
	}
	defer tail.Close()
	steps := r.previewSteps(s)
	defer steps.close()
	d, err := newDecoder(s.connector, s.masker, steps.build)
	if err != nil {
		return failedPreview(s.masker.Error(err)), nil
	}
	d.Transforms.Bind(ctx)
	records, err := tail.Last(ctx)
	out := collected{limit: request.Records}
	for i := range records {
		if !out.add(d.decode(&records[i])) {
			break
		}
	}
	p := Preview{Records: out.records, Ended: "end"}
	switch why := out.full(); {
	case why != "":
		p.Ended = why
	case errors.Is(err, context.DeadlineExceeded):
		p.Ended = "time"
	case err != nil:
		p.Ended, p.Failure = "failed", s.masker.Error(err).Error()
	}
	return p, nil
}

// sinkTopics are the topics of a sink that exist.
func (r *runner) sinkTopics(ctx context.Context, c *config.Connector) ([]string, error) {
	if c.Sink.TopicsRegex == nil {
		return c.Sink.Topics, nil
	}
	cfg, _, err := kafka.ParseClientConfig(kafka.AdminClient, c.AdminProps(r.w.cfg.Settings, r.name))
	if err != nil {
		return nil, err
	}
	admin, err := kafka.NewAdmin(cfg)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	all, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for name := range all {
		if c.Sink.TopicsRegex.Matches(name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("topics.regex: no topic matches %s", c.Sink.TopicsRegex)
	}
	return out, nil
}

func (r *runner) openTail(ctx context.Context, s *share, topics []string, back int) (*kafka.Tail, error) {
	props := s.connector.ConsumerProps(r.w.cfg.Settings, 0)
	props["client.id"] = "tailrace-" + r.name
	cfg, _, err := kafka.ParseClientConfig(kafka.ConsumerClient, props)
	if err != nil {
		return nil, err
	}
	return kafka.OpenTail(ctx, cfg, topics, back)
}

// TailTopic reads the newest records of a topic as a connector's converters decode them, without its
// transforms, and with follow the ones that come until ctx ends. show is called for each; an error of it ends the reading.
func (w *Worker) TailTopic(ctx context.Context, connector map[string]string, topic string, back int, follow bool, show func(PreviewRecord) error) error {
	r := w.newRunner(plugin.NoTask, "tail", connector, store.TargetStarted)
	defer r.cut()
	s, err := r.resolve(ctx)
	if err != nil {
		return err
	}
	s.connector.Transforms = nil
	d, err := newDecoder(s.connector, s.masker, nil)
	if err != nil {
		return err
	}
	tail, err := r.openTail(ctx, s, []string{topic}, min(back, MaxPreviewRecords))
	if err != nil {
		return s.masker.Error(err)
	}
	defer tail.Close()
	records, err := tail.Last(ctx)
	for {
		if err != nil {
			return s.masker.Error(err)
		}
		for i := range records {
			if err := show(d.decode(&records[i])); err != nil {
				return err
			}
		}
		if !follow || ctx.Err() != nil {
			return nil
		}
		records, err = tail.Next(ctx)
	}
}

// decoder turns a record of Kafka into what a sink would get, for people to look at.
type decoder struct {
	task.Converters
	masker *config.Masker
	batch  *transform.Batch
	// plain writes values as JSON, described does so with their schemas, raw gives bytes as they are.
	plain, described, raw convert.Converter
}

func newDecoder(c *config.Connector, masker *config.Masker, others transform.Others) (*decoder, error) {
	converters, err := newConverters(c, quiet, others)
	if err != nil {
		return nil, err
	}
	d := &decoder{Converters: converters, masker: masker, batch: transform.NewBatch(transform.Sink)}
	if d.plain, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "false", "decimal.format": "NUMERIC"}, false); err != nil {
		return nil, err
	}
	if d.raw, err = convert.New("ByteArrayConverter", nil, false); err != nil {
		return nil, err
	}
	d.described, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "true", "decimal.format": "NUMERIC"}, false)
	return d, err
}

func (d *decoder) decode(k *kafka.TailRecord) PreviewRecord {
	out := PreviewRecord{
		Topic: k.Topic, Partition: &k.Partition, Offset: &k.Offset, Headers: []PreviewHeader{},
		Key: rawPart(k.Key), Value: rawPart(k.Value),
	}
	if k.TimestampMillis >= 0 {
		out.Timestamp = &k.TimestampMillis
	}
	d.batch.Reset()
	t := d.batch.Add()
	t.Topic, t.Partition, t.Offset, t.OriginalTopic, t.OriginalPartition = k.Topic, k.Partition, k.Offset, k.Topic, k.Partition
	t.Timestamp, t.TimestampType = k.TimestampMillis, transform.TimestampType(0)
	switch k.TimestampType {
	case kafka.CreateTime:
		t.TimestampType = transform.CreateTime
	case kafka.LogAppendTime:
		t.TimestampType = transform.LogAppendTime
	case kafka.NoTimestamp:
	}
	if out.Failure = d.fill(t, k); out.Failure != nil {
		return out
	}
	if d.Transforms != nil {
		d.Transforms.Apply(d.batch)
	}
	if f := t.Failure(); f != nil {
		out.Failure = d.failure(task.StageTransformation, f.Class, f.Err)
		return out
	}
	out.Dropped = t.Dropped()
	if !out.Dropped {
		d.show(&out, t)
	}
	return out
}

// fill converts the parts of a record.
func (d *decoder) fill(t *transform.Record, k *kafka.TailRecord) *PreviewFailure {
	schema, wire, err := d.Key.ToConnect(nil, k.Topic, k.Key)
	if err != nil {
		return d.failure(task.StageKeyConverter, d.KeyClass, err)
	}
	t.Key.SetWire(schema, wire)
	if schema, wire, err = d.Value.ToConnect(nil, k.Topic, k.Value); err != nil {
		return d.failure(task.StageValueConverter, d.ValueClass, err)
	}
	t.Value.SetWire(schema, wire)
	for i := range k.Headers.Len() {
		name, value := k.Headers.At(i)
		if schema, wire, err = d.Header.ToHeader(nil, k.Topic, name, value); err == nil {
			err = t.Headers.AddWire(name, schema, wire)
		}
		if err != nil {
			return d.failure(task.StageHeaderConverter, d.HeaderClass, fmt.Errorf("header %q: %w", name, err))
		}
	}
	return nil
}

func (d *decoder) failure(stage, class string, err error) *PreviewFailure {
	return &PreviewFailure{Stage: stage, Class: class, Message: d.masker.Text(err.Error())}
}

// show writes the record as it left the chain.
func (d *decoder) show(out *PreviewRecord, t *transform.Record) {
	out.Topic = t.Topic
	out.Timestamp = nil
	if t.Timestamp != transform.NoTimestamp {
		out.Timestamp = &t.Timestamp
	}
	var err error
	if out.Key, err = d.part(&t.Key, t.Topic); err != nil {
		out.Failure = d.failure(task.StageKeyConverter, d.KeyClass, err)
		return
	}
	if out.Value, err = d.part(&t.Value, t.Topic); err != nil {
		out.Failure = d.failure(task.StageValueConverter, d.ValueClass, err)
		return
	}
	headers, err := t.Headers.All()
	for i := 0; err == nil && i < len(headers); i++ {
		var p *PreviewPart
		if p, err = d.part(&headers[i].Value, t.Topic); err == nil {
			out.Headers = append(out.Headers, PreviewHeader{headers[i].Name, p})
		}
	}
	if err != nil {
		out.Failure = d.failure(task.StageHeaderConverter, d.HeaderClass, err)
	}
}

// part is a value as JSON, with its schema if it has one.
func (d *decoder) part(cell *transform.Cell, topic string) (*PreviewPart, error) {
	wire, _, err := cell.Wire(nil)
	schema := cell.Schema()
	if err != nil || schema == nil && len(wire) == 0 {
		return nil, err
	}
	if schema != nil && schema.Type() == data.Bytes && schema.Name() == "" {
		// Base64 in quotes says nothing to people: the bytes themselves may.
		raw, _, err := d.raw.FromConnect(nil, topic, schema, wire)
		if err != nil || raw == nil {
			return nil, err
		}
		return rawPart(raw), nil
	}
	text, _, err := d.plain.FromConnect(nil, topic, schema, wire)
	if err != nil || text == nil {
		return nil, err
	}
	p := &PreviewPart{Bytes: len(text)}
	if len(text) > maxPartBytes {
		short := string(text[:maxPartBytes])
		p.Text, p.Cut = &short, true
		return p, nil
	}
	p.JSON = append(json.RawMessage{}, text...)
	if schema == nil {
		return p, nil
	}
	var envelope struct{ Schema json.RawMessage }
	if text, _, err = d.described.FromConnect(nil, topic, schema, wire); err == nil && json.Unmarshal(text, &envelope) == nil {
		p.Schema = envelope.Schema
	}
	return p, nil
}
