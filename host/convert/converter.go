package convert

import (
	"context"
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/convert/avro"
	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/host/convert/jsonschema"
	"github.com/tailrace/tailrace/host/convert/protobuf"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Converter turns keys or values. It is for one goroutine.
type Converter interface {
	// FromConnect gives the record bytes of a value in wire form. out is a part of
	// wire or of the appended dst, and nil for a null record; it stays valid as
	// long as wire and dst are not overwritten. schema is nil for a value without
	// a schema. On error dst is returned as it was.
	FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, dstAfter []byte, err error)
	// ToConnect appends the wire form of record bytes to dst and gives its schema,
	// nil for a value without one. kafka is nil for a null record. Equal
	// schemas come back as the same pointer as long as they stay in the cache.
	ToConnect(dst []byte, topic string, kafka []byte) (schema *data.Schema, dstAfter []byte, err error)
}

// ErrStopped is the cause of a conversion that Bind's context cut short.
var ErrStopped = javaerr.ErrStopped

// Bind ends with ctx whatever a converter waits for, so that a task that is told
// to stop is not held by a registry that is away. Converters that ask nobody do
// not care. Call it before the converter is used; c is a Converter or a
// HeaderConverter.
func Bind(ctx context.Context, c any) {
	if b, ok := c.(interface{ Bind(ctx context.Context) }); ok {
		b.Bind(ctx)
	}
}

// HeaderConverter turns header values; its methods are as Converter's.
type HeaderConverter interface {
	FromHeader(dst []byte, topic, name string, schema *data.Schema, wire []byte) (out, dstAfter []byte, err error)
	ToHeader(dst []byte, topic, name string, kafka []byte) (schema *data.Schema, dstAfter []byte, err error)
}

// strictValues is the key that turns silent damage of values into errors; see docs/compatibility.md.
const strictValues = "strict.values"

// Error is a failed conversion; see package javaerr.
type Error = javaerr.Error

// Classes of errors.
const (
	DataException          = javaerr.DataException
	SerializationException = javaerr.SerializationException
	ConfigException        = javaerr.ConfigException
)

func dataError(format string, args ...any) *Error {
	return &Error{Class: DataException, Message: fmt.Sprintf(format, args...)}
}

// malformed tells that a plugin sent bytes that are not a value of their schema.
func malformed(schema *data.Schema, err error) *Error {
	return &Error{Class: DataException, Message: "The plugin sent a value that does not fit its schema " + schema.String(), Cause: err}
}

// Form says how a converter treats the values of one schema, so that a loop
// over a batch can do the common case itself without a call per record.
type Form uint8

const (
	// FormCall asks to call FromConnect.
	FormCall Form = iota
	// FormBody says that the record bytes are what follows the length prefix,
	// as data.ReadBytes gives them.
	FormBody
)

// FormOf tells the form of a converter for a schema.
func FormOf(c Converter, schema *data.Schema) Form {
	if schema == nil || schema.Optional() {
		return FormCall
	}
	switch c := c.(type) {
	case *stringConverter:
		if schema.Type() == data.String && c.writes == nil {
			return FormBody
		}
	case byteArrayConverter:
		if schema.Type() == data.Bytes && !isDecimal(schema) {
			return FormBody
		}
	}
	return FormCall
}

func isDecimal(s *data.Schema) bool {
	_, ok, _ := s.IsDecimal()
	return ok
}

// factory builds a converter from its own properties (prefix removed).
type factory func(props map[string]string, isKey bool) (both, error)

// forBoth is the factory of a converter that is the same for keys and values.
func forBoth(build func(props map[string]string) (both, error)) factory {
	return func(props map[string]string, _ bool) (both, error) { return build(props) }
}

// plain is the factory of a converter without settings.
func plain(c both) factory {
	return func(map[string]string, bool) (both, error) { return c, nil }
}

// registryFactories are the converters with a schema registry.
var registryFactories = map[string]struct {
	class string
	build factory
}{
	"AvroConverter":       {avro.Class, func(props map[string]string, isKey bool) (both, error) { return avro.New(props, isKey) }},
	"ProtobufConverter":   {protobuf.Class, func(props map[string]string, isKey bool) (both, error) { return protobuf.New(props, isKey) }},
	"JsonSchemaConverter": {jsonschema.Class, newJSONSchema},
}

// both is what all converters but SimpleHeaderConverter are.
type both interface {
	Converter
	HeaderConverter
}

const (
	connectPackage = "org.apache.kafka.connect."
	simpleHeader   = "SimpleHeaderConverter"
)

// factories has one entry per converter, under the simple class name.
var factories = map[string]struct {
	class string
	build factory
}{
	"JsonConverter":      {connectPackage + "json.JsonConverter", forBoth(newJSON)},
	"StringConverter":    {connectPackage + "storage.StringConverter", newString},
	"ByteArrayConverter": {connectPackage + "converters.ByteArrayConverter", plain(byteArrayConverter{})},
	"BooleanConverter":   {connectPackage + "converters.BooleanConverter", plain(booleanConverter{})},
	"ShortConverter":     {connectPackage + "converters.ShortConverter", plain(&shortNumber)},
	"IntegerConverter":   {connectPackage + "converters.IntegerConverter", plain(&integerNumber)},
	"LongConverter":      {connectPackage + "converters.LongConverter", plain(&longNumber)},
	"FloatConverter":     {connectPackage + "converters.FloatConverter", plain(&floatNumber)},
	"DoubleConverter":    {connectPackage + "converters.DoubleConverter", plain(&doubleNumber)},
}

// Names lists the full class names of all converters.
func Names() []string {
	names := []string{connectPackage + "storage." + simpleHeader}
	for _, f := range factories {
		names = append(names, f.class)
	}
	for _, f := range registryFactories {
		names = append(names, f.class)
	}
	return names
}

// New builds the converter of a class: the Java class name, or the simple name
// with or without "Converter" ("Json"), as Kafka Connect's plugin aliases.
// props are the converter's own (the prefix key.converter. removed).
func New(class string, props map[string]string, isKey bool) (Converter, error) {
	c, err := build(class, props, isKey)
	if err != nil {
		kind := "value"
		if isKey {
			kind = "key"
		}
		return nil, fmt.Errorf("%s converter: %w", kind, err)
	}
	return c, nil
}

// NewHeader builds a header converter; every converter can be one.
func NewHeader(class string, props map[string]string) (HeaderConverter, error) {
	if simpleName(class) == simpleHeader {
		return &simpleHeaderConverter{}, nil
	}
	c, err := build(class, props, false)
	if err != nil {
		return nil, fmt.Errorf("header converter: %w", err)
	}
	return c, nil
}

func build(class string, props map[string]string, isKey bool) (both, error) {
	name := simpleName(class)
	if f, ok := factories[name]; ok && (class == f.class || !strings.Contains(class, ".")) {
		return f.build(props, isKey)
	}
	if f, ok := registryFactories[name]; ok && (class == f.class || !strings.Contains(class, ".")) {
		return f.build(props, isKey)
	}
	if name == simpleHeader {
		return nil, &Error{Class: ConfigException, Message: simpleHeader + " converts headers only; use it as header.converter"}
	}
	return nil, &Error{Class: ConfigException, Message: fmt.Sprintf("there is no converter %s", class)}
}

// simpleName strips the package and completes an alias.
func simpleName(class string) string {
	name := class[strings.LastIndexByte(class, '.')+1:]
	if !strings.HasSuffix(name, "Converter") {
		name += "Converter"
	}
	return name
}
