package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

const (
	topic = "orders-raw"
	batch = 500 // records that go through the chain together, as in a task
)

// ours are the cases of this side by name: each handles n records.
type ours map[string]func(n int) error

// newOurs makes the cases, and the files that the other side reads.
func newOurs(ctx context.Context, registry, dir string) (ours, error) {
	wires, schema, err := orders()
	if err != nil {
		return nil, err
	}
	o := ours{}
	for _, form := range []struct {
		name, class string
		props       map[string]string
	}{
		{"json-with-schema", "JsonConverter", map[string]string{"schemas.enable": "true"}},
		{"json-plain", "JsonConverter", map[string]string{"schemas.enable": "false"}},
		{"avro", "AvroConverter", map[string]string{"schema.registry.url": registry}},
	} {
		if form.name == "avro" && registry == "" {
			continue
		}
		c, err := convert.New(form.class, form.props, false)
		if err != nil {
			return nil, err
		}
		input, err := written(c, schema, wires)
		if err != nil {
			return nil, err
		}
		if err := save(filepath.Join(dir, form.name), input); err != nil {
			return nil, err
		}
		if err := o.add(form.name, c, input); err != nil {
			return nil, err
		}
		if form.name == "avro" {
			text, err := avroSchema(ctx, registry, input[0])
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(filepath.Join(dir, "avro-schema"), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// measure gives the CPU time of a case, with that of the garbage that it left.
func (o ours) measure(name string, records int) (time.Duration, error) {
	before := cpu()
	err := o[name](records)
	return cpu() - before, err
}

// cpu is the time that this process has used, its collector included.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// value is a record as it was read.
type value struct {
	schema *data.Schema
	wire   []byte
}

// add makes the cases of a converter.
func (o ours) add(form string, c convert.Converter, input [][]byte) error {
	values := make([]value, 0, len(input))
	for _, b := range input {
		s, wire, err := c.ToConnect(nil, topic, b)
		if err != nil {
			return err
		}
		values = append(values, value{s, wire})
	}
	var dst []byte
	o["read-"+form] = func(n int) (err error) {
		for i := range n {
			if _, dst, err = c.ToConnect(dst[:0], topic, input[i%len(input)]); err != nil {
				return err
			}
		}
		return nil
	}
	o["write-"+form] = func(n int) (err error) {
		for i := range n {
			v := values[i%len(values)]
			if _, dst, err = c.FromConnect(dst[:0], topic, v.schema, v.wire); err != nil {
				return err
			}
		}
		return nil
	}
	for name, converter := range map[string]convert.Converter{"chain-": nil, "way-": c} {
		steps, err := transform.FromConfig(five, nil, nil)
		if err != nil {
			return err
		}
		t := through{steps: steps, batch: transform.NewBatch(transform.Sink), converter: converter, input: input, values: values}
		o[name+form] = t.run
	}
	return nil
}

var five = []config.Transform{
	{Alias: "insert", Class: "InsertField$Value", Config: map[string]string{"static.field": "source", "static.value": "bench", "timestamp.field": "at"}},
	{Alias: "replace", Class: "ReplaceField$Value", Config: map[string]string{"exclude": "note", "renames": "name:title"}},
	{Alias: "cast", Class: "Cast$Value", Config: map[string]string{"spec": "quantity:int64,price:string"}},
	{Alias: "mask", Class: "MaskField$Value", Config: map[string]string{"fields": "email"}},
	{Alias: "route", Class: "RegexRouter", Config: map[string]string{"regex": "(.*)-raw", "replacement": "$1"}},
}

// through takes records through the chain: from wire form to wire form, or with a converter from record bytes to record bytes.
type through struct {
	steps     *transform.Chain
	batch     *transform.Batch
	converter convert.Converter // nil for the chain alone
	input     [][]byte
	values    []value

	read, block, out []byte
}

func (t *through) run(n int) error {
	for done := 0; done < n; done += batch {
		if err := t.once(done, min(batch, n-done)); err != nil {
			return err
		}
	}
	return nil
}

func (t *through) once(first, n int) error {
	t.batch.Reset()
	t.read = t.read[:0]
	for i := range n {
		r := t.batch.Add()
		r.Topic, r.Partition, r.Timestamp = topic, 0, 1700000000123
		r.Offset, r.TimestampType = int64(first+i), transform.CreateTime
		at := (first + i) % len(t.values)
		if t.converter == nil {
			r.Value.SetWire(t.values[at].schema, t.values[at].wire)
			continue
		}
		start := len(t.read)
		schema, after, err := t.converter.ToConnect(t.read, topic, t.input[at])
		if err != nil {
			return err
		}
		t.read = after
		r.Value.SetWire(schema, after[start:])
	}
	t.steps.Apply(t.batch)
	t.block, t.out = t.block[:0], t.out[:0]
	for i := range n {
		r := t.batch.At(i)
		if !r.Live() {
			return r.Failure()
		}
		raw, block, err := r.Value.Wire(t.block)
		if err != nil {
			return err
		}
		t.block = block
		if t.converter == nil {
			continue
		}
		if _, t.out, err = t.converter.FromConnect(t.out, r.Topic, r.Value.Schema(), raw); err != nil {
			return err
		}
	}
	return nil
}

// goVersion is for the report.
func goVersion() string { return strings.TrimPrefix(runtime.Version(), "go") }
