package deadletter

import (
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/convert/evolution"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// The forms of a source's letters, see docs/dead-letters.md.
const (
	formConnect = "connect-json"
	formKafka   = "kafka"
)

// Remaker makes the record of a source's letter that was not converted: it applies the
// transforms from the one that failed on, and then the converters. One goroutine uses it.
type Remaker struct {
	key, value convert.Converter
	headers    convert.HeaderConverter
	chain      *transform.Chain
	batch      *transform.Batch
	typed      convert.Converter // reads the letters
}

// NewRemaker takes the configuration of the connector, as it is now.
func NewRemaker(c *config.Connector) (r *Remaker, err error) {
	r = &Remaker{batch: transform.NewBatch(transform.Source)}
	if r.key, err = convert.New(c.KeyConverter.Class, c.KeyConverter.Config, true); err != nil {
		return nil, fmt.Errorf("key.converter: %w", err)
	}
	if r.value, err = convert.New(c.ValueConverter.Class, c.ValueConverter.Config, false); err != nil {
		return nil, fmt.Errorf("value.converter: %w", err)
	}
	if c.Source != nil {
		policy := evolution.Policy(c.Source.SchemaEvolution)
		r.key = convert.WithEvolution(r.key, convert.Evolution{Policy: policy, Connector: c.Name, Part: "key"})
		r.value = convert.WithEvolution(r.value, convert.Evolution{Policy: policy, Connector: c.Name, Part: "value"})
	}
	if r.headers, err = convert.NewHeader(c.HeaderConverter.Class, c.HeaderConverter.Config); err != nil {
		return nil, fmt.Errorf("header.converter: %w", err)
	}
	if r.chain, err = transform.FromConfig(c.Transforms, c.Predicates, nil); err != nil {
		return nil, err
	}
	r.typed, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "true"}, false)
	return r, err
}

// Remake makes the record.
func (r *Remaker) Remake(l *Letter) (out kafka.OutRecord, err error) {
	r.batch.Reset()
	t := r.batch.Add()
	if err := r.fill(t, l); err != nil {
		return out, err
	}
	if err := r.apply(l, t); err != nil {
		return out, err
	}
	out = kafka.OutRecord{Topic: t.Topic, Partition: t.Partition, TimestampMillis: l.Time.UnixMilli()}
	if t.Timestamp != transform.NoTimestamp {
		out.TimestampMillis = t.Timestamp
	}
	if out.Key, err = part(r.key, &t.Key, t.Topic); err != nil {
		return out, fmt.Errorf("key.converter: %w", err)
	}
	if out.Value, err = part(r.value, &t.Value, t.Topic); err != nil {
		return out, fmt.Errorf("value.converter: %w", err)
	}
	list, err := t.Headers.All()
	for i := range list {
		h := &list[i]
		raw, _, err := h.Value.Wire(nil)
		if err == nil && len(raw) == 0 && h.Value.Schema() == nil {
			raw = data.AppendLong(nil, data.AnyNull)
		}
		if err == nil {
			raw, _, err = r.headers.FromHeader(nil, t.Topic, h.Name, h.Value.Schema(), raw)
		}
		if err != nil {
			return out, fmt.Errorf("header.converter: header %q: %w", h.Name, err)
		}
		out.Headers.Add(h.Name, slices.Clone(raw))
	}
	return out, err
}

func (r *Remaker) fill(t *transform.Record, l *Letter) error {
	t.Topic, t.Partition, t.Timestamp = l.Topic, l.OriginPartition, l.Time.UnixMilli()
	for _, p := range []struct {
		name string
		raw  []byte
		cell *transform.Cell
	}{{"key", l.Key, &t.Key}, {"value", l.Value, &t.Value}} {
		if p.raw == nil {
			continue
		}
		schema, wire, err := r.typed.ToConnect(nil, l.Topic, p.raw)
		if err != nil {
			return fmt.Errorf("its %s is not what a dead letter of a source has: %w", p.name, err)
		}
		p.cell.SetWire(schema, wire)
	}
	for i := range l.Headers.Len() {
		name, raw := l.Headers.At(i)
		var schema *data.Schema
		var wire []byte
		var err error
		if raw != nil {
			schema, wire, err = r.typed.ToConnect(nil, l.Topic, raw)
		}
		if err == nil {
			err = t.Headers.AddWire(name, schema, wire)
		}
		if err != nil {
			return fmt.Errorf("its header %q is not what a dead letter of a source has: %w", name, err)
		}
	}
	return nil
}

// apply runs the transforms from the one that failed on; a letter of a converter has passed all of them.
func (r *Remaker) apply(l *Letter, t *transform.Record) error {
	if l.Stage != "TRANSFORMATION" {
		return nil
	}
	steps := r.chain.Steps()
	from := slices.IndexFunc(steps, func(s transform.Step) bool { return s.Alias == l.Transform })
	if from < 0 {
		return fmt.Errorf("the configuration has no transform %s, at which it failed; give one that has, for example with another type for it", l.Transform)
	}
	for i := from; i < len(steps) && t.Live(); i++ {
		steps[i].Apply(r.batch)
	}
	if f := t.Failure(); f != nil {
		return f
	}
	if t.Dropped() {
		return fmt.Errorf("a transform drops it; leave it out with --where 'letter != %d'", l.Offset)
	}
	return nil
}

func part(c convert.Converter, cell *transform.Cell, topic string) ([]byte, error) {
	raw, _, err := cell.Wire(nil)
	if err != nil || len(raw) == 0 && cell.Schema() == nil {
		return nil, err
	}
	out, _, err := c.FromConnect(nil, topic, cell.Schema(), raw)
	return slices.Clone(out), err
}
