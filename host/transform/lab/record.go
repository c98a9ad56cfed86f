package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Record is a record as JSON. Key, Value and the values of headers are values, or
// {"schema":…,"payload":…} where they have a schema.
type Record struct {
	Topic string `json:"topic,omitempty"`
	// Partition, Offset and Timestamp (milliseconds since 1970) may be absent.
	Partition *int32          `json:"partition,omitempty"`
	Offset    *int64          `json:"offset,omitempty"`
	Timestamp *int64          `json:"timestamp,omitempty"`
	Key       json.RawMessage `json:"key,omitempty"`
	Value     json.RawMessage `json:"value"`
	Headers   []Header        `json:"headers,omitempty"`
}

// Header is one header.
type Header struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// codec reads and writes values with the converters of JSON.
type codec struct{ typed, plain convert.Converter }

func newCodec() (c codec, err error) {
	if c.typed, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "true"}, false); err == nil {
		c.plain, err = convert.New("JsonConverter", map[string]string{"schemas.enable": "false"}, false)
	}
	return c, err
}

// read fills a record of a batch.
func (c codec) read(in *Record, t *transform.Record) error {
	t.Topic = in.Topic
	if in.Partition != nil {
		t.Partition = *in.Partition
	}
	if in.Offset != nil {
		t.Offset = *in.Offset
	}
	if in.Timestamp != nil {
		t.Timestamp, t.TimestampType = *in.Timestamp, transform.CreateTime
	}
	schema, wire, err := c.value(in.Key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	t.Key.SetWire(schema, wire)
	if schema, wire, err = c.value(in.Value); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	t.Value.SetWire(schema, wire)
	for _, h := range in.Headers {
		if schema, wire, err = c.value(h.Value); err == nil {
			err = t.Headers.AddWire(h.Name, schema, wire)
		}
		if err != nil {
			return fmt.Errorf("header %s: %w", h.Name, err)
		}
	}
	return nil
}

func (c codec) value(raw json.RawMessage) (*data.Schema, []byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil, nil
	}
	converter := c.plain
	if isEnvelope(raw) {
		converter = c.typed
	}
	schema, wire, err := converter.ToConnect(nil, "", raw)
	return schema, wire, err
}

// isEnvelope reports whether a value is {"schema":…,"payload":…} and nothing else.
func isEnvelope(raw []byte) bool {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	_, schema := members["schema"]
	_, payload := members["payload"]
	return schema && payload && len(members) == 2
}

// write gives the record as JSON.
func (c codec) write(t *transform.Record) (*Record, error) {
	out := &Record{Topic: t.Topic}
	if t.Partition != transform.NoPartition {
		out.Partition = &t.Partition
	}
	if t.Timestamp != transform.NoTimestamp {
		out.Timestamp = &t.Timestamp
	}
	var err error
	if out.Key, err = c.json(&t.Key); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if string(out.Key) == "null" {
		out.Key = nil
	}
	if out.Value, err = c.json(&t.Value); err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	list, err := t.Headers.All()
	for i := range list {
		h := Header{Name: list[i].Name}
		if h.Value, err = c.json(&list[i].Value); err != nil {
			return nil, fmt.Errorf("header %s: %w", h.Name, err)
		}
		out.Headers = append(out.Headers, h)
	}
	return out, err
}

func (c codec) json(cell *transform.Cell) (json.RawMessage, error) {
	wire, _, err := cell.Wire(nil)
	if err != nil {
		return nil, err
	}
	converter := c.plain
	if cell.Schema() != nil {
		converter = c.typed
	} else if len(wire) == 0 {
		return json.RawMessage("null"), nil
	}
	out, _, err := converter.FromConnect(nil, "", cell.Schema(), wire)
	if out == nil {
		out = []byte("null")
	}
	return slices.Clone(out), err
}

// parseLine reads a line as a record, or as a value.
func parseLine(line []byte, o Options) (*Record, error) {
	if !json.Valid(line) {
		var v any
		return nil, fmt.Errorf("it is no JSON: %w", json.Unmarshal(line, &v))
	}
	in := &Record{Topic: o.Topic, Value: line}
	if o.Records {
		in.Value = nil
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(in); err != nil {
			return nil, fmt.Errorf("it is no record: %w; its members are topic, partition, offset, timestamp, key, value and headers [{name, value}]", err)
		}
	}
	if in.Topic == "" {
		return nil, errors.New("the record has no topic, and no other is given")
	}
	return in, nil
}
