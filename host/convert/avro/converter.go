package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/registry"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Class is the Java class that Converter stands in for.
const Class = "io.confluent.connect.avro.AvroConverter"

// headSize is the zero byte and the schema's id before a record's Avro.
const headSize = 5

// Converter turns values into Avro records of a registry and back. It is for
// one goroutine. Its first use of a schema asks the registry and may wait, up
// to the registry client's deadlines; later uses do not.
type Converter struct {
	o        *options
	registry *registry.Client

	writers    map[writeKey]*writer
	lastSchema *data.Schema
	lastTopic  string
	lastWriter *writer

	readers    map[readKey]*readPlan
	lastRead   readKey
	lastReader *readPlan
}

type writeKey struct {
	schema *data.Schema
	topic  string
}

type writer struct {
	root *node
	head [headSize]byte
}

type readKey struct {
	id    uint32
	topic string
}

// New builds a converter from its properties; it asks nothing yet.
func New(props map[string]string, isKey bool) (*Converter, error) {
	o, err := parseOptions(props)
	if err != nil {
		return nil, err
	}
	config, err := registry.ParseConfig(props, isKey)
	if err != nil {
		return nil, err
	}
	client, err := registry.Open(config)
	if err != nil {
		return nil, err
	}
	return &Converter{o: o, registry: client, writers: map[writeKey]*writer{}, readers: map[readKey]*readPlan{}}, nil
}

// FromConnect gives the record bytes of a value; see convert.Converter.
func (c *Converter) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if isNull(schema, wire) {
		return nil, dst, nil // a tombstone, whatever the schema
	}
	w := c.lastWriter
	if w == nil || schema != c.lastSchema || topic != c.lastTopic {
		if w, err = c.writer(topic, schema); err != nil {
			return nil, dst, failed("Failed to serialize Avro data from topic %s :", topic, err)
		}
		c.lastWriter, c.lastSchema, c.lastTopic = w, schema, topic
	}
	start := len(dst)
	after = append(dst, w.head[:]...)
	var rest []byte
	if w.root.same {
		// The wire bytes are the Avro bytes. I-3: they are checked before they leave.
		if rest, err = data.SkipValue(schema, wire); err == nil {
			after = append(after, wire[:len(wire)-len(rest)]...)
		}
	} else {
		after, rest, err = w.root.encode(after, wire)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, dst, failed("Failed to serialize Avro data from topic %s :", topic, err)
	}
	return after[start:len(after):len(after)], after, nil
}

var errTrailing = errors.New("there are bytes behind the value")

// isNull recognises a null value without decoding it.
func isNull(s *data.Schema, wire []byte) bool {
	if s == nil {
		return len(wire) == 0 || len(wire) == 1 && wire[0] == data.AnyNull
	}
	return s.Optional() && len(wire) == 1 && int(wire[0]) == s.NullBranch()<<1
}

// writer finds or makes what a schema needs.
func (c *Converter) writer(topic string, schema *data.Schema) (*writer, error) {
	key := writeKey{schema, topic}
	if w, ok := c.writers[key]; ok {
		return w, nil
	}
	plan, err := planWrite(c.o, schema)
	if err != nil {
		return nil, err
	}
	subject, err := c.registry.Subject(topic, plan.record)
	if err != nil {
		return nil, err
	}
	s, err := c.registry.WriteSchema(subject, registry.Schema{Type: registry.Avro, Text: plan.text}, judge{})
	if err != nil {
		return nil, err
	}
	w := &writer{root: plan.root}
	binary.BigEndian.PutUint32(w.head[1:], uint32(s.ID))
	if len(c.writers) >= c.o.cacheSize {
		clear(c.writers) // a plain bound; schemas that are in use come back at once
	}
	c.writers[key] = w
	return w, nil
}

// Registered tells what the registry has for values of a schema; see convert.WithEvolution.
func (c *Converter) Registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	subject, version, newest, read, err = c.registered(topic, schema)
	if err != nil {
		err = failed("Failed to serialize Avro data from topic %s :", topic, err)
	}
	return subject, version, newest, read, err
}

func (c *Converter) registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	plan, err := planWrite(c.o, schema)
	if err != nil {
		return "", 0, nil, nil, err
	}
	if subject, err = c.registry.Subject(topic, plan.record); err != nil {
		return "", 0, nil, nil, err
	}
	own, err := planRead(c.o, []string{plan.text}, 0)
	if err != nil {
		return "", 0, nil, nil, err
	}
	s, ok, err := c.registry.Newest(subject, registry.Avro)
	if err != nil || !ok {
		return subject, 0, nil, own.schema, err
	}
	known, err := planRead(c.o, texts(s), 0)
	if err != nil {
		return "", 0, nil, nil, fmt.Errorf("the schema of id %d: %w", s.ID, err)
	}
	return subject, s.Version, known.schema, own.schema, nil
}

// Bind ends the registry's calls with ctx; see convert.Bind.
func (c *Converter) Bind(ctx context.Context) { c.registry.Bind(ctx) }

// judge names the field of an Avro schema that does not fit another.
type judge struct{}

func (judge) Refused(older, newer registry.Resolved) string {
	return incompatible(texts(older), newer.Text)
}

func (judge) Unfit(latest, own registry.Resolved, strict bool) string {
	return sameShape(texts(latest), own.Text, strict)
}

// texts are the schemas that s refers to, then s.
func texts(s registry.Resolved) []string {
	list := make([]string, 0, len(s.Names)+1)
	for _, name := range s.Names {
		list = append(list, s.Docs[name].Text)
	}
	return append(list, s.Text)
}

// ToConnect reads record bytes; see convert.Converter.
func (c *Converter) ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if kafka == nil {
		return nil, dst, nil
	}
	if len(kafka) < headSize || kafka[0] != 0 {
		why := "Unknown magic byte!"
		if len(kafka) < headSize {
			why = "the record is shorter than the five bytes before Avro data"
		}
		return nil, dst, failed("Failed to deserialize data for topic %s to Avro:", topic,
			&javaerr.Error{Class: javaerr.SerializationException, Message: why})
	}
	key := readKey{binary.BigEndian.Uint32(kafka[1:]), topic}
	r := c.lastReader
	if r == nil || key != c.lastRead {
		if r, err = c.reader(key); err != nil {
			return nil, dst, failed("Failed to deserialize data for topic %s to Avro:", topic, err)
		}
		c.lastReader, c.lastRead = r, key
	}
	after, rest, err := r.root.decode(dst, kafka[headSize:])
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, dst, failed("Failed to deserialize data for topic %s to Avro:", topic,
			&javaerr.Error{Class: javaerr.SerializationException, Message: fmt.Sprintf("Error deserializing Avro message for id %d", key.id), Cause: err})
	}
	if isNull(r.schema, after[len(dst):]) {
		return nil, dst, nil // Java's SchemaAndValue.NULL
	}
	return r.schema, after, nil
}

func (c *Converter) reader(key readKey) (*readPlan, error) {
	if r, ok := c.readers[key]; ok {
		return r, nil
	}
	s, err := c.registry.ReadSchema(key.id, registry.Avro)
	if err != nil {
		return nil, err
	}
	version, err := c.registry.VersionOf(key.topic, recordName(s.Text), s.Schema)
	if err != nil {
		return nil, err
	}
	r, err := planRead(c.o, texts(s), version)
	if err != nil {
		return nil, fmt.Errorf("the schema of id %d: %w", s.ID, err)
	}
	if len(c.readers) >= c.o.cacheSize {
		clear(c.readers)
	}
	c.readers[key] = r
	return r, nil
}

// FromHeader converts a header's value as a record's.
func (c *Converter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

// ToHeader reads a header's value as a record's.
func (c *Converter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}

// failed wraps an error as AvroConverter does: its class says whether another try may help.
func failed(format, topic string, err error) error {
	e := &javaerr.Error{Class: javaerr.DataException, Message: fmt.Sprintf(format, topic), Cause: err}
	var r *registry.Error
	if errors.As(err, &r) {
		e.Class = r.Class()
	}
	return e
}
