package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Java classes of errors that transforms throw.
const (
	dataException          = convert.DataException
	configException        = convert.ConfigException
	connectException       = "org.apache.kafka.connect.errors.ConnectException"
	schemaBuilderException = "org.apache.kafka.connect.errors.SchemaBuilderException"
	illegalArgument        = "java.lang.IllegalArgumentException"
	indexOutOfBounds       = "java.lang.IndexOutOfBoundsException"
	arrayIndex             = "java.lang.ArrayIndexOutOfBoundsException"
	nullPointer            = "java.lang.NullPointerException"
	classCast              = "java.lang.ClassCastException"
	numberFormat           = "java.lang.NumberFormatException"
	parseException         = "java.text.ParseException"
	patternSyntax          = "java.util.regex.PatternSyntaxException"
)

var errTrailing = errors.New("there are bytes behind the value")

func javaError(class, format string, args ...any) *convert.Error {
	return &convert.Error{Class: class, Message: fmt.Sprintf(format, args...)}
}

func dataError(format string, args ...any) *convert.Error {
	return javaError(dataException, format, args...)
}

// configError is a ConfigException with a complete message.
func configError(format string, args ...any) *convert.Error {
	return javaError(configException, format, args...)
}

// invalid is a ConfigException about the value of an option.
func invalid(name string, value any, reason string) *convert.Error {
	if reason == "" {
		return configError("Invalid value %v for configuration %s", value, name)
	}
	return configError("%s", config.Invalid(name, value, reason).Error())
}

// malformed tells that bytes are not a value of their schema.
func malformed(s *data.Schema, err error) *convert.Error {
	return &convert.Error{Class: dataException, Message: "The record holds bytes that are not a value of its schema " + s.String(), Cause: err}
}

func inField(name string, err error) error { return fmt.Errorf("field %q: %w", name, err) }

// nullRequired is what Java's Struct.put says to null in a required field.
func nullRequired(f *data.Field) *convert.Error {
	return dataError("Invalid value: null used for required field: \"%s\", schema type: %s", f.Name, f.Schema.Type())
}

// onlyMaps is the complaint about a schemaless value that is not a map.
func onlyMaps(purpose string, v any) *convert.Error {
	return dataError("Only Map objects supported in absence of schema for [%s], found: %s", purpose, className(v))
}

// onlyStructs is the complaint about a value with a schema that is not a struct.
func onlyStructs(purpose string, v any) *convert.Error {
	return dataError("Only Struct objects supported for [%s], found: %s", purpose, className(v))
}

func notListable() *convert.Error { return dataError("Cannot list fields on non-struct type") }

// notString is what Java says of a key of another class where it takes one for a string.
func notString(key any) *convert.Error {
	const text = "java.lang.String"
	class := className(key)
	message := "class " + class + " cannot be cast to class " + text
	if !strings.HasPrefix(class, "org.") {
		message += " (" + class + " and " + text + " are in module java.base of loader 'bootstrap')"
	}
	return javaError(classCast, "%s", message)
}

// wrongClass is what Java says of a value that a schema of the name of s does not allow.
func wrongClass(s *data.Schema, of data.Type, v any, where string) *convert.Error {
	name := ""
	if s.HasName() {
		name = ` "` + s.Name() + `"`
	}
	return dataError("Invalid Java object for schema%s with type %s: %s for %s", name, of, classOf(v), where)
}
