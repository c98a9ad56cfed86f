package convert

import (
	"slices"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert/registry"
)

// Definition describes the options of a converter, given by its class or alias: those of Kafka
// Connect as version 4.1 lists and validates them, those with a schema registry with all that they take. nil for one that is not known.
func Definition(class string) *config.Def {
	return definitions[simpleName(class)]
}

// Extensions describes the options of a converter that Kafka Connect's does not have. They are shown when they are
// set only, so that other answers stay equal to Kafka Connect's. nil for none.
func Extensions(class string) *config.Def {
	if simpleName(class) == "JsonConverter" {
		return config.NewDef(strictKey)
	}
	return nil
}

// strictKey is known to all converters that can damage a value silently.
var strictKey = config.Key{
	Name: strictValues, Type: config.Boolean, Default: config.Text("false"), Importance: config.Medium, Width: config.WidthShort,
	DisplayName: "Strict values", Documentation: "Whether values that would be changed silently (NaN, numbers that wrap around, texts that are no UTF-8) are errors. See docs/compatibility.md.",
}

// flag is an option of a converter with a schema registry.
func flag(name string, on bool, doc string) config.Key {
	text := "false"
	if on {
		text = "true"
	}
	return config.Key{Name: name, Type: config.Boolean, Default: config.Text(text), Importance: config.Low, Width: config.WidthShort, Documentation: doc}
}

// withRegistry adds what all converters with a schema registry take.
func withRegistry(own ...config.Key) *config.Def {
	own = append(own, config.Key{
		Name: "schemas.cache.config", Type: config.Int, Default: config.Text("1000"), Importance: config.Low, Width: config.WidthShort,
		Documentation: "How many schemas the converter remembers.", Validator: config.AtLeast(0),
	})
	for i := range own {
		own[i].Group, own[i].Order = "Converter", i
	}
	return config.NewDef(slices.Concat(registry.Keys(), own)...)
}

var (
	sumTypes = flag("generalized.sum.type.support", false, "Whether enums and unions are marked as Kafka Connect's own, for all formats.")
	scrub    = flag("scrub.invalid.names", false, "Whether characters that names may not have are replaced.")
	flatten  = flag("flatten.singleton.unions", true, "Whether a union of one type is that type.")
	keepNull = flag("ignore.default.for.nullables", false, "Whether null stays null in a field that has a default.")
)

// roleKey is set by the worker for every converter, never by users.
var roleKey = config.Key{
	Name: "converter.type", Type: config.String, Default: config.Required(), Importance: config.Low,
	Documentation: "What is converted: key, value or header. The worker sets it.", Validator: config.OneOf("key", "value", "header"),
}

var definitions = map[string]*config.Def{
	simpleHeader: config.NewDef(),
	"JsonConverter": config.NewDef(roleKey,
		config.Key{
			Name: "schemas.enable", Type: config.Boolean, Default: config.Text("true"), Importance: config.High,
			Group: "Schemas", Order: 0, Width: config.WidthMedium, DisplayName: "Enable Schemas",
			Documentation: "Whether each JSON text has its schema with it, as {\"schema\": …, \"payload\": …}.",
		},
		config.Key{
			Name: "schemas.cache.size", Type: config.Int, Default: config.Text("1000"), Importance: config.High,
			Group: "Schemas", Order: 1, Width: config.WidthMedium, DisplayName: "Schema Cache Size",
			Documentation: "How many schemas the converter remembers.",
		},
		config.Key{
			Name: "decimal.format", Type: config.String, Default: config.Text("BASE64"), Importance: config.Low,
			Group: "Serialization", Order: 0, Width: config.WidthMedium, DisplayName: "Decimal Format",
			Documentation: "How decimals are written: BASE64 (the bytes of the unscaled value) or NUMERIC (a JSON number). Both are read.",
			Validator:     config.OneOfFold("NUMERIC", "BASE64"),
		},
		config.Key{
			Name: "replace.null.with.default", Type: config.Boolean, Default: config.Text("true"), Importance: config.Low,
			Group: "Serialization", Order: 1, Width: config.WidthMedium, DisplayName: "Replace null with default",
			Documentation: "Whether null in a field that has a default is read and written as that default.",
		}),
	"StringConverter": config.NewDef(roleKey, config.Key{
		Name: "converter.encoding", Type: config.String, Default: config.Text("UTF-8"), Importance: config.High, Width: config.WidthMedium,
		DisplayName: "Encoding", Documentation: "The character set: UTF-8, ISO-8859-1 or US-ASCII.",
	}),
	"ByteArrayConverter": config.NewDef(roleKey),
	"AvroConverter": withRegistry(
		flag("enhanced.avro.schema.support", false, "Whether enums and the packages of records survive."),
		flag("connect.meta.data", true, "Whether names, versions, docs and defaults of Connect schemas are kept in the Avro schema."),
		flag("allow.optional.map.keys", false, "Whether a map with optional string keys is an Avro map."),
		flag("discard.type.doc.default", false, "Whether docs and defaults of types, not of fields, are left out when they are read."),
		sumTypes, scrub, flatten, keepNull),
	"ProtobufConverter": withRegistry(
		flag("enhanced.protobuf.schema.support", false, "Whether packages of messages are part of their names."),
		flag("optional.for.nullables", false, "Whether fields that may be null are declared optional, so that null survives."),
		flag("optional.for.proto2", true, "Whether optional fields of proto2 may be null."),
		flag("wrapper.for.nullables", false, "Whether fields that may be null are wrapper messages, so that null survives."),
		flag("wrapper.for.raw.primitives", true, "Whether a wrapper message is read as its value."),
		flag("int.for.enums", false, "Whether enums are read as numbers."),
		flag("generate.struct.for.nulls", false, "Whether a message that is not there is read as an empty struct."),
		flag("generate.index.for.unions", true, "Whether the names of unions have numbers."),
		flag("flatten.unions", false, "Whether the members of a union are fields of the message around it."),
		flag("skip.known.types", true, "Whether the files of well known types are not registered."),
		sumTypes, scrub, keepNull, strictKey),
	"JsonSchemaConverter": withRegistry(
		flag("object.additional.properties", true, "Whether written schemas allow other properties."),
		flag("use.optional.for.nonrequired", false, "Whether properties that are not required are optional."),
		flag("json.fail.invalid.schema", false, "Whether values are held against their JSON Schema."),
		flag("ignore.modern.dialects", false, "Whether newer dialects of JSON Schema are read as draft 7."),
		config.Key{
			Name: "decimal.format", Type: config.String, Default: config.Text("BASE64"), Importance: config.Low, Width: config.WidthMedium,
			Documentation: "How decimals are written: BASE64 (the bytes of the unscaled value) or NUMERIC (a JSON number).", Validator: config.OneOfFold("NUMERIC", "BASE64"),
		},
		sumTypes, flatten, keepNull, strictKey),
	"BooleanConverter": config.NewDef(roleKey),
	"ShortConverter":   config.NewDef(roleKey),
	"IntegerConverter": config.NewDef(roleKey),
	"LongConverter":    config.NewDef(roleKey),
	"FloatConverter":   config.NewDef(roleKey),
	"DoubleConverter":  config.NewDef(roleKey),
}
