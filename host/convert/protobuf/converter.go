package protobuf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/registry"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Class is the Java class that Converter stands in for.
const Class = "io.confluent.connect.protobuf.ProtobufConverter"

// headSize is the zero byte and the schema's id at the front of a record.
const headSize = 5

// Converter turns values into Protobuf records of a registry and back. It is for
// one goroutine. Its first use of a schema asks the registry and may wait, up
// to the registry client's deadlines; later uses do not.
type Converter struct {
	o        *options
	registry *registry.Client
	decoder  decoder

	writers    map[writeKey]*writer
	lastKey    writeKey
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
	head    []byte // zero byte, id, place of the message
	message *encoder
	wrapped *encField // a value that is no struct
}

type readKey struct {
	id           uint32
	place, topic string
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

// Bind ends the registry's calls with ctx; see convert.Bind.
func (c *Converter) Bind(ctx context.Context) { c.registry.Bind(ctx) }

const (
	toProtobuf   = "Failed to serialize Protobuf data from topic %s:"
	fromProtobuf = "Failed to deserialize data for topic %s to Protobuf:"
)

var errTrailing = errors.New("there are bytes behind the value")

// FromConnect gives the record bytes of a value; see convert.Converter.
func (c *Converter) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if isNull(schema, wire) {
		return nil, dst, nil
	}
	w := c.lastWriter
	if key := (writeKey{schema, topic}); w == nil || key != c.lastKey {
		if w, err = c.writer(key); err != nil {
			return nil, dst, failed(toProtobuf, topic, err)
		}
		c.lastWriter, c.lastKey = w, key
	}
	start := len(dst)
	after = append(dst, w.head...)
	_, rest, err := data.ReadPresence(schema, wire)
	if err == nil {
		if w.wrapped != nil {
			after, rest, err = w.wrapped.scalarField(after, rest)
		} else {
			after, rest, err = w.message.message(after, rest)
		}
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, dst, failed(toProtobuf, topic, err)
	}
	return after[start:len(after):len(after)], after, nil
}

// isNull recognises a null value without decoding it.
func isNull(s *data.Schema, wire []byte) bool {
	if s == nil {
		return len(wire) == 0 || len(wire) == 1 && wire[0] == data.AnyNull
	}
	return s.Optional() && len(wire) == 1 && int(wire[0]) == s.NullBranch()<<1
}

func (c *Converter) writer(key writeKey) (*writer, error) {
	if w, ok := c.writers[key]; ok {
		return w, nil
	}
	own, err := writeSchema(c.o, key.schema)
	if err != nil {
		return nil, err
	}
	subject, err := c.registry.Subject(key.topic, own.message)
	if err != nil {
		return nil, err
	}
	wanted := registry.Schema{Type: registry.Protobuf, Text: own.text}
	if !c.o.skipKnown {
		if wanted.References, err = c.references(own.imports); err != nil {
			return nil, err
		}
	}
	s, err := c.registry.WriteSchema(subject, wanted, judge{own.message})
	if err != nil {
		return nil, err
	}
	w, err := c.plan(key.schema, own.message, s)
	if err != nil {
		return nil, err
	}
	if len(c.writers) >= c.o.cacheSize {
		clear(c.writers) // a plain bound; schemas that are in use come back at once
	}
	c.writers[key] = w
	return w, nil
}

// plan maps the values of a schema to a message of the schema that is written.
func (c *Converter) plan(schema *data.Schema, name string, s registry.Schema) (*writer, error) {
	names, docs, err := c.registry.Resolve(s)
	if err != nil {
		return nil, err
	}
	file, err := compile(s.Text, imports(registry.Resolved{Schema: s, Names: names, Docs: docs}))
	if err != nil {
		return nil, err
	}
	m, ok := findMessage(file, name)
	if !ok {
		return nil, javaerr.Data("the schema of id %d has no message %s", s.ID, name)
	}
	w := &writer{head: append(binary.BigEndian.AppendUint32([]byte{0}, uint32(s.ID)), indexes(m)...)}
	if schema.Type() == data.StructType {
		w.message, err = planEncode(c.o, schema, m, 0)
		return w, err
	}
	field := m.Fields().ByNumber(1)
	if field == nil {
		return nil, javaerr.Data("the message %s has no field 1", name)
	}
	k, err := planScalar(schema, field)
	w.wrapped = &encField{name: valueField, schema: schema, tag: k.tag, scalar: k}
	return w, err
}

// Registered tells what the registry has for values of a schema; see convert.WithEvolution.
func (c *Converter) Registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	subject, version, newest, read, err = c.registered(topic, schema)
	if err != nil {
		err = failed(toProtobuf, topic, err)
	}
	return subject, version, newest, read, err
}

func (c *Converter) registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	own, err := writeSchema(c.o, schema)
	if err != nil {
		return "", 0, nil, nil, err
	}
	if subject, err = c.registry.Subject(topic, own.message); err != nil {
		return "", 0, nil, nil, err
	}
	if read, err = c.readBack(own.text, nil, own.message); err != nil {
		return "", 0, nil, nil, err
	}
	s, ok, err := c.registry.Newest(subject, registry.Protobuf)
	if err != nil || !ok {
		return subject, 0, nil, read, err
	}
	if newest, err = c.readBack(s.Text, imports(s), own.message); err != nil {
		return "", 0, nil, nil, fmt.Errorf("version %d of subject %s: %w", s.Version, subject, err)
	}
	return subject, s.Version, newest, read, nil
}

// readBack is the schema of a message as values of it are read.
func (c *Converter) readBack(text string, imports map[string]string, name string) (*data.Schema, error) {
	file, err := compile(text, imports)
	if err != nil {
		return nil, err
	}
	m, ok := findMessage(file, name)
	if !ok {
		return nil, javaerr.Data("the schema has no message %s", name)
	}
	r, err := readSchema(c.o, m, 0)
	if err != nil {
		return nil, err
	}
	return r.schema, nil
}

// references registers the files that a schema imports, under their names.
func (c *Converter) references(files []string) ([]registry.Reference, error) {
	list := make([]registry.Reference, 0, len(files))
	for _, file := range files {
		text, ok := known[file]
		if !ok {
			continue // google/protobuf is part of every implementation
		}
		s := registry.Schema{Type: registry.Protobuf, Text: text}
		if c.registry.AutoRegister {
			if _, err := c.registry.Register(file, s); err != nil {
				return nil, err
			}
		}
		version, err := c.registry.Version(file, s)
		if err != nil {
			return nil, err
		}
		if version == 0 {
			return nil, javaerr.Data("the registry has no subject %s, which skip.known.types=false refers to", file)
		}
		list = append(list, registry.Reference{Name: file, Subject: file, Version: version})
	}
	return list, nil
}

// imports are the texts that a schema refers to, by the names by which it does.
func imports(s registry.Resolved) map[string]string {
	texts := make(map[string]string, len(s.Names))
	for _, name := range s.Names {
		texts[name] = s.Docs[name].Text
	}
	return texts
}

// ToConnect reads record bytes; see convert.Converter.
func (c *Converter) ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if kafka == nil {
		return nil, dst, nil
	}
	if len(kafka) <= headSize || kafka[0] != 0 {
		why := "Unknown magic byte!"
		if len(kafka) <= headSize {
			why = "the record is shorter than the six bytes before Protobuf data"
		}
		return nil, dst, failed(fromProtobuf, topic, &javaerr.Error{Class: javaerr.SerializationException, Message: why})
	}
	id := binary.BigEndian.Uint32(kafka[1:])
	place, body, ok := cutIndexes(kafka[headSize:])
	if !ok {
		return nil, dst, failed(fromProtobuf, topic, &javaerr.Error{Class: javaerr.SerializationException, Message: "the place of the message (its indexes) cannot be read"})
	}
	r := c.lastReader
	if r == nil || id != c.lastRead.id || topic != c.lastRead.topic || string(place) != c.lastRead.place {
		key := readKey{id, string(place), topic}
		if r, err = c.reader(key); err != nil {
			return nil, dst, failed(fromProtobuf, topic, err)
		}
		c.lastReader, c.lastRead = r, key
	}
	after, err = c.decoder.message(dst, r.root, body)
	if err != nil {
		return nil, dst, failed(fromProtobuf, topic,
			&javaerr.Error{Class: javaerr.SerializationException, Message: fmt.Sprintf("Error deserializing Protobuf message for id %d", id), Cause: err})
	}
	return r.schema, after, nil
}

func (c *Converter) reader(key readKey) (*readPlan, error) {
	if r, ok := c.readers[key]; ok {
		return r, nil
	}
	s, err := c.registry.ReadSchema(key.id, registry.Protobuf)
	if err != nil {
		return nil, err
	}
	file, err := compile(s.Text, imports(s))
	if err != nil {
		return nil, fmt.Errorf("the schema of id %d: %w", s.ID, err)
	}
	m, ok := messageAt(file, []byte(key.place))
	if !ok {
		return nil, javaerr.Data("the schema of id %d has no message at the place that the record names", s.ID)
	}
	version, err := c.registry.VersionOf(key.topic, string(m.FullName()), s.Schema)
	if err != nil {
		return nil, err
	}
	r, err := readSchema(c.o, m, version)
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

// failed wraps an error as ProtobufConverter does: its class says whether another try may help.
func failed(format, topic string, err error) error {
	e := &javaerr.Error{Class: javaerr.DataException, Message: fmt.Sprintf(format, topic), Cause: err}
	var r *registry.Error
	if errors.As(err, &r) {
		e.Class = r.Class()
	}
	return e
}

// judge compares the message that is written in two schemas.
type judge struct{ message string }

func (j judge) Refused(older, newer registry.Resolved) string { return j.difference(older, newer) }

// Unfit compares only when asked to: the plan fails by itself where a value has no place.
func (j judge) Unfit(latest, own registry.Resolved, strict bool) string {
	if !strict {
		return ""
	}
	return j.difference(own, latest)
}

func (j judge) difference(older, newer registry.Resolved) string {
	var messages [2]protoreflect.MessageDescriptor
	for i, s := range []registry.Resolved{older, newer} {
		file, err := compile(s.Text, imports(s))
		if err != nil {
			return err.Error()
		}
		m, ok := findMessage(file, j.message)
		if !ok {
			return fmt.Sprintf("version %d has no message %s", s.Version, j.message)
		}
		messages[i] = m
	}
	return differs(messages[0], messages[1], "", 0)
}

// differs names the first field that has another type or number.
func differs(o, n protoreflect.MessageDescriptor, path string, depth int) string {
	if depth > maxDepth {
		return ""
	}
	for i := range o.Fields().Len() {
		a := o.Fields().Get(i)
		name := path + string(a.Name())
		b := n.Fields().ByNumber(a.Number())
		if b == nil {
			if c := n.Fields().ByName(a.Name()); c != nil {
				return fmt.Sprintf("field %q has the number %d in the older schema and %d in the newer", name, a.Number(), c.Number())
			}
			continue
		}
		switch {
		case wireClass(a) != wireClass(b):
			return fmt.Sprintf("field %q (number %d) is %s in the older schema and %s in the newer", name, a.Number(), typeOf(a), typeOf(b))
		case (a.Cardinality() == protoreflect.Repeated) != (b.Cardinality() == protoreflect.Repeated):
			return fmt.Sprintf("field %q (number %d) is a list in one of the schemas only", name, a.Number())
		case a.Message() != nil && a.Message().FullName() != b.Message().FullName():
			return fmt.Sprintf("field %q (number %d) is %s in the older schema and %s in the newer", name, a.Number(), typeOf(a), typeOf(b))
		case a.Message() != nil:
			if why := differs(a.Message(), b.Message(), name+".", depth+1); why != "" {
				return why
			}
		}
	}
	return ""
}

// wireClass groups the types that can read each other.
func wireClass(d protoreflect.FieldDescriptor) string {
	switch d.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind:
		return "integer"
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return "zigzag"
	case protoreflect.StringKind, protoreflect.BytesKind:
		return "bytes"
	}
	return d.Kind().String()
}
