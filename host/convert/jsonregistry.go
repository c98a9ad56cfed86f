package convert

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/host/convert/registry"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// jsonSchemaConverter is Confluent's JsonSchemaConverter: a zero byte, the
// schema's id and the JSON that jsonConverter writes without an envelope. Its
// first use of a schema asks the registry and may wait; later uses do not.
type jsonSchemaConverter struct {
	json      jsonConverter
	options   jsonschema.Options
	registry  *registry.Client
	cacheSize int
	validate  bool // json.fail.invalid.schema

	writers    map[jsonWriteKey]*jsonSchemaWriter
	lastKey    jsonWriteKey
	lastWriter *jsonSchemaWriter

	readers    map[jsonReadKey]*jsonSchemaReader
	lastRead   jsonReadKey
	lastReader *jsonSchemaReader
}

type jsonWriteKey struct {
	schema *data.Schema
	topic  string
}

type jsonSchemaWriter struct {
	head  [framedHead]byte
	check *jsonschema.Validator // nil without json.fail.invalid.schema
}

type jsonReadKey struct {
	id    uint32
	topic string
}

type jsonSchemaReader struct {
	schema *data.Schema
	pass   *passPlan // of schema
	// relaxed has optional fields where JSON Schema requires none; made when a record needs it.
	relaxed func() (*data.Schema, error)
	check   *jsonschema.Validator
}

// framedHead is the zero byte and the schema's id before a record of a registry.
const framedHead = 5

func newJSONSchema(props map[string]string, isKey bool) (both, error) {
	c := &jsonSchemaConverter{
		json:    jsonConverter{byRegistry: true, cacheSize: 1000},
		options: jsonschema.Options{AdditionalProperties: true, FlattenSingleton: true},
		writers: map[jsonWriteKey]*jsonSchemaWriter{}, readers: map[jsonReadKey]*jsonSchemaReader{},
	}
	p := registry.Props(props)
	ignoreDefault, modern, indent := false, false, false
	for key, flag := range map[string]*bool{
		"object.additional.properties": &c.options.AdditionalProperties, "use.optional.for.nonrequired": &c.options.OptionalNonRequired,
		"generalized.sum.type.support": &c.options.GeneralizedSumTypes, "flatten.singleton.unions": &c.options.FlattenSingleton,
		"ignore.default.for.nullables": &ignoreDefault, "json.fail.invalid.schema": &c.validate,
		"ignore.modern.dialects": &modern, "json.indent.output": &indent, strictValues: &c.json.strict,
	} {
		if err := p.Bool(key, flag); err != nil {
			return nil, err
		}
	}
	if indent {
		return nil, javaerr.Config("json.indent.output=true is not supported; leave it out")
	}
	c.json.nullTakesDefault = !ignoreDefault
	if text, ok := props["decimal.format"]; ok {
		switch strings.ToUpper(text) {
		case "NUMERIC":
			c.json.numeric, c.options.NumericDecimals = true, true
		case "BASE64":
		default:
			return nil, invalidConfig("decimal.format", text, "String must be one of (case insensitive): NUMERIC, BASE64")
		}
	}
	c.cacheSize = 1000
	for _, key := range []string{"schemas.cache.config", "schemas.cache.size"} {
		if err := p.Int(key, &c.cacheSize, 0); err != nil {
			return nil, err
		}
	}
	c.cacheSize = max(c.cacheSize, 1)
	config, err := registry.ParseConfig(props, isKey)
	if err != nil {
		return nil, err
	}
	c.registry, err = registry.Open(config)
	return c, err
}

// Bind ends the registry's calls with ctx; see Bind.
func (c *jsonSchemaConverter) Bind(ctx context.Context) { c.registry.Bind(ctx) }

func (c *jsonSchemaConverter) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if schema == nil {
		if k, _, err := open(nil, wire); err == nil && k == kindNull {
			return nil, dst, nil
		}
		return nil, dst, c.failed(toJSON, topic, javaerr.Data("a value without a schema cannot be written with JSON Schema; use JsonConverter, or a transform that gives it a schema"))
	}
	w := c.lastWriter
	if key := (jsonWriteKey{schema, topic}); w == nil || key != c.lastKey {
		if w, err = c.writer(key); err != nil {
			return nil, dst, c.failed(toJSON, topic, err)
		}
		c.lastWriter, c.lastKey = w, key
	}
	start := len(dst)
	_, after, err = c.json.FromConnect(append(dst, w.head[:]...), topic, schema, wire)
	if err != nil {
		return nil, dst, err
	}
	if w.check != nil {
		if err := w.check.Validate(after[start+framedHead:]); err != nil {
			return nil, dst, c.failed(toJSON, topic, err)
		}
	}
	return after[start:len(after):len(after)], after, nil
}

func (c *jsonSchemaConverter) writer(key jsonWriteKey) (*jsonSchemaWriter, error) {
	if w, ok := c.writers[key]; ok {
		return w, nil
	}
	text, err := jsonschema.Write(&c.options, key.schema, jsonDefaults{&c.json})
	if err != nil {
		return nil, err
	}
	subject, err := c.registry.Subject(key.topic, key.schema.Name())
	if err != nil {
		return nil, err
	}
	s, err := c.registry.WriteSchema(subject, registry.Schema{Type: registry.JSON, Text: text}, jsonJudge{})
	if err != nil {
		return nil, err
	}
	w := &jsonSchemaWriter{}
	binary.BigEndian.PutUint32(w.head[1:], uint32(s.ID))
	if c.validate {
		names, docs, err := c.registry.Resolve(s)
		if err != nil {
			return nil, err
		}
		if w.check, err = jsonschema.NewValidator(s.Text, documents(registry.Resolved{Schema: s, Names: names, Docs: docs})); err != nil {
			return nil, err
		}
	}
	if len(c.writers) >= c.cacheSize {
		clear(c.writers) // a plain bound; schemas that are in use come back at once
	}
	c.writers[key] = w
	return w, nil
}

// Registered tells what the registry has for values of a schema; see registering.
func (c *jsonSchemaConverter) Registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	subject, version, newest, read, err = c.registered(topic, schema)
	if err != nil {
		err = c.failed(toJSON, topic, err)
	}
	return subject, version, newest, read, err
}

func (c *jsonSchemaConverter) registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error) {
	text, err := jsonschema.Write(&c.options, schema, jsonDefaults{&c.json})
	if err != nil {
		return "", 0, nil, nil, err
	}
	if subject, err = c.registry.Subject(topic, schema.Name()); err != nil {
		return "", 0, nil, nil, err
	}
	if read, err = jsonschema.Read(&c.options, text, nil, 0, false, jsonDefaults{&c.json}); err != nil {
		return "", 0, nil, nil, err
	}
	s, ok, err := c.registry.Newest(subject, registry.JSON)
	if err != nil || !ok {
		return subject, 0, nil, read, err
	}
	newest, err = jsonschema.Read(&c.options, s.Text, documents(s), 0, false, jsonDefaults{&c.json})
	if err != nil {
		return "", 0, nil, nil, fmt.Errorf("the schema of id %d: %w", s.ID, err)
	}
	return subject, s.Version, newest, read, nil
}

func (c *jsonSchemaConverter) ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	if kafka == nil {
		return nil, dst, nil
	}
	if len(kafka) < framedHead || kafka[0] != 0 {
		return nil, dst, c.failed(fromJSON, topic, badFrame(kafka))
	}
	key := jsonReadKey{binary.BigEndian.Uint32(kafka[1:]), topic}
	r := c.lastReader
	if r == nil || key != c.lastRead {
		if r, err = c.reader(key); err != nil {
			return nil, dst, c.failed(fromJSON, topic, err)
		}
		c.lastReader, c.lastRead = r, key
	}
	b := jsonText(toUTF8(kafka[framedHead:]))
	at := b.space(0)
	if at == len(b) {
		return nil, dst, dataError("Structs should be encoded as JSON objects, but found MISSING")
	}
	if r.check == nil && !c.json.strict {
		p := c.json.passOver(b)
		after, end := p.value(dst, r.pass, at, 0)
		if p.b = nil; end != gaveUp && b.ends(at, end) {
			return r.schema, after, nil
		}
	}
	end, err := b.value(at, 0)
	if err == nil && c.json.strict && b.space(end) < len(b) {
		err = damage("there is text behind the value, which would be ignored")
	}
	if err == nil && r.check != nil {
		err = r.check.Validate(b[at:end])
	}
	if err != nil {
		cause := &Error{Class: SerializationException, Message: fmt.Sprintf("Error deserializing JSON message for id %d", key.id), Cause: err}
		return nil, dst, c.failed(fromJSON, topic, cause)
	}
	return c.value(dst, r, b, at)
}

// value reads a record, with the relaxed schema if it has not what the schema requires.
func (c *jsonSchemaConverter) value(dst []byte, r *jsonSchemaReader, b jsonText, at int) (*data.Schema, []byte, error) {
	reader := jsonReader{c: &c.json, b: b}
	after, err := reader.checked(dst, r.schema, at)
	if err == nil || !errors.Is(err, errMissing) {
		return r.schema, after, err
	}
	relaxed, e := r.relaxed()
	if e != nil {
		return nil, dst, e
	}
	if after, err = reader.checked(dst, relaxed, at); err != nil {
		return nil, dst, err
	}
	return relaxed, after, nil
}

func (c *jsonSchemaConverter) reader(key jsonReadKey) (*jsonSchemaReader, error) {
	if r, ok := c.readers[key]; ok {
		return r, nil
	}
	s, err := c.registry.ReadSchema(key.id, registry.JSON)
	if err != nil {
		return nil, err
	}
	version, err := c.registry.VersionOf(key.topic, jsonschema.Title(s.Text), s.Schema)
	if err != nil {
		return nil, err
	}
	read := func(relaxed bool) (*data.Schema, error) {
		schema, err := jsonschema.Read(&c.options, s.Text, documents(s), version, relaxed, jsonDefaults{&c.json})
		if err != nil {
			return nil, fmt.Errorf("the schema of id %d: %w", s.ID, err)
		}
		return schema, nil
	}
	r := &jsonSchemaReader{}
	if r.schema, err = read(false); err != nil {
		return nil, err
	}
	r.pass = c.json.newPassPlan(r.schema)
	var relaxed *data.Schema
	r.relaxed = func() (_ *data.Schema, err error) {
		if relaxed == nil {
			relaxed, err = read(true)
		}
		return relaxed, err
	}
	if c.validate {
		if r.check, err = jsonschema.NewValidator(s.Text, documents(s)); err != nil {
			return nil, err
		}
	}
	if len(c.readers) >= c.cacheSize {
		clear(c.readers)
	}
	c.readers[key] = r
	return r, nil
}

func (c *jsonSchemaConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

func (c *jsonSchemaConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}

const (
	toJSON   = "Converting Kafka Connect data to byte[] failed due to serialization error of topic %s: "
	fromJSON = "Converting byte[] to Kafka Connect data failed due to serialization error of topic %s: "
)

// failed wraps an error as the converter does: its class says whether another try may help.
func (c *jsonSchemaConverter) failed(format, topic string, err error) error {
	e := &Error{Class: DataException, Message: fmt.Sprintf(format, topic), Cause: err}
	var r *registry.Error
	if errors.As(err, &r) {
		e.Class = r.Class()
	}
	return e
}

// badFrame says what is wrong with bytes that are not from a registry.
func badFrame(kafka []byte) error {
	if len(kafka) < framedHead {
		return &Error{Class: SerializationException, Message: "the record is shorter than the five bytes with the schema's id"}
	}
	return &Error{Class: SerializationException, Message: "Unknown magic byte!"}
}

func documents(s registry.Resolved) []jsonschema.Document {
	docs := make([]jsonschema.Document, len(s.Names))
	for i, name := range s.Names {
		docs[i] = jsonschema.Document{Name: name, Text: s.Docs[name].Text}
	}
	return docs
}

// jsonJudge names the property that does not fit.
type jsonJudge struct{}

func (jsonJudge) Refused(older, newer registry.Resolved) string {
	return jsonschema.Difference(older.Text, documents(older), newer.Text, documents(newer))
}

// Unfit compares only when asked to: JSON says by itself what it holds.
func (j jsonJudge) Unfit(latest, own registry.Resolved, strict bool) string {
	if !strict {
		return ""
	}
	return j.Refused(own, latest)
}

// jsonDefaults lends the code for values to the mapping of schemas.
type jsonDefaults struct{ c *jsonConverter }

func (d jsonDefaults) DefaultJSON(s *data.Schema) ([]byte, error) {
	p := newJSONPlan(s)
	if err := d.c.planDefaults(p); err != nil {
		return nil, err
	}
	text, _, err := d.c.appendDefault(nil, p)
	return text, err
}

func (d jsonDefaults) ReadDefault(s *data.Schema, text []byte) ([]byte, error) {
	b := jsonText(bytes.TrimSpace(text))
	if _, err := b.value(0, 0); err != nil {
		return nil, err
	}
	r := jsonReader{c: d.c, b: b}
	return r.checked(nil, s, 0)
}
