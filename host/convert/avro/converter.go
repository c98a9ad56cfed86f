package avro

import (
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
	id, err := c.idOf(subject, registry.Schema{Type: registry.Avro, Text: plan.text})
	if err != nil {
		return nil, err
	}
	w := &writer{root: plan.root}
	binary.BigEndian.PutUint32(w.head[1:], uint32(id))
	if len(c.writers) >= c.o.cacheSize {
		clear(c.writers) // a plain bound; schemas that are in use come back at once
	}
	c.writers[key] = w
	return w, nil
}

// idOf is the id to write a schema with: registered, the latest of the subject, or one that is registered already.
func (c *Converter) idOf(subject string, s registry.Schema) (int, error) {
	if c.registry.AutoRegister {
		id, err := c.registry.Register(subject, s)
		return id, c.explain(subject, s, err)
	}
	if !c.registry.UseLatest {
		id, err := c.registry.Lookup(subject, s)
		return id, c.explain(subject, s, err)
	}
	latest, err := c.registry.Latest(subject)
	if err != nil {
		return 0, err
	}
	texts, err := c.texts(latest)
	if err != nil {
		return 0, err
	}
	if why := sameShape(texts, s.Text, c.registry.LatestStrict); why != "" {
		return 0, javaerr.Data("Incompatible schema: the value does not fit version %d of subject %s, which use.latest.version asks to write: %s", latest.Version, subject, why)
	}
	return latest.ID, nil
}

// explain adds to a refusal which field does not fit which version.
func (c *Converter) explain(subject string, s registry.Schema, err error) error {
	var refused *registry.Error
	if err == nil || !errors.As(err, &refused) || !refused.Incompatible() {
		return err
	}
	why := ""
	if latest, e := c.registry.Current(subject); e == nil {
		if texts, e := c.texts(latest); e == nil {
			why = fmt.Sprintf(" against version %d: %s", latest.Version, incompatible(texts, s.Text))
		}
	}
	return &javaerr.Error{
		Class: javaerr.DataException, Cause: err,
		Message: "Schema being registered is incompatible with an earlier schema for subject \"" + subject + "\"" + why,
	}
}

// texts are the schemas that s refers to, then s.
func (c *Converter) texts(s registry.Schema) ([]string, error) {
	names, schemas, err := c.registry.Resolve(s)
	if err != nil {
		return nil, err
	}
	texts := make([]string, 0, len(names)+1)
	for _, name := range names {
		texts = append(texts, schemas[name].Text)
	}
	return append(texts, s.Text), nil
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
	s, err := c.registry.ByID(int(key.id))
	if err != nil {
		return nil, err
	}
	if s.Type != registry.Avro {
		return nil, javaerr.Data("the schema of id %d is of type %s, not %s; use the converter of that type", s.ID, s.Type, registry.Avro)
	}
	subject, err := c.registry.Subject(key.topic, recordName(s.Text))
	version := 0
	if err == nil {
		// Only a schema without connect.version shows it; a subject that is not there (a copied topic) is no failure.
		if version, err = c.registry.Version(subject, s); err != nil {
			return nil, err
		}
	}
	texts, err := c.texts(s)
	if err != nil {
		return nil, err
	}
	r, err := planRead(c.o, texts, version)
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
