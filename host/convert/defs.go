package convert

import "github.com/tailrace/tailrace/host/config"

// Definition describes the options of a converter, given by its class or alias, as Kafka Connect
// 4.1 lists and validates them. nil for a converter that does not describe itself, as those with a
// schema registry do not.
func Definition(class string) *config.Def {
	return definitions[simpleName(class)]
}

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
	"BooleanConverter":   config.NewDef(roleKey),
	"ShortConverter":     config.NewDef(roleKey),
	"IntegerConverter":   config.NewDef(roleKey),
	"LongConverter":      config.NewDef(roleKey),
	"FloatConverter":     config.NewDef(roleKey),
	"DoubleConverter":    config.NewDef(roleKey),
}
