package transform

import (
	"errors"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform/expr"
)

const (
	replaceNullKey = "replace.null.with.default"
	fieldSyntaxKey = "field.syntax.version"
)

// classes has the built-in transforms and predicates, sorted by name.
var classes = slices.Concat(
	bothSides("Cast", newCast,
		option("spec", config.List, config.Required(), config.High, "The fields to cast and their new types, as a list of field:type; or a single type for the whole key or value. Types are int8, int16, int32, int64, float32, float64, boolean and string.", castSpec),
		replaceNull),
	single("DropHeaders", newDropHeaders,
		option("headers", config.List, config.Required(), config.High, "The names of the headers to remove.", config.NonEmptyList)),
	bothSides("ExtractField", newExtractField,
		option("field", config.String, config.Required(), config.Medium, "The field to extract.", nil),
		replaceNull,
		option(fieldSyntaxKey, config.String, config.Text("V1"), config.High, "V1 reads field as one name. V2 reads it as a path: dots separate nested names, and backticks quote a name that contains dots.", config.OneOfFold("V1", "V2"))),
	single("Filter", func(config.Values) (step, error) { return filter{}, nil }),
	bothSides("Flatten", newFlatten,
		option("delimiter", config.String, config.Text("."), config.Medium, "What stands between the parts of the new names.", nil)),
	bothSides("HeaderFrom", newHeaderFrom,
		option("fields", config.List, config.Required(), config.High, "The fields to copy or move.", config.NonEmptyList),
		option("headers", config.List, config.Required(), config.High, "The names of the headers, in the order of fields.", config.NonEmptyList),
		option("operation", config.String, config.Required(), config.High, "copy, or move to remove the fields as well.", config.OneOf("move", "copy")),
		replaceNull),
	bothSides("HoistField", newHoistField,
		option("field", config.String, config.Required(), config.Medium, "The name of the only field of the new struct or map.", nil)),
	bothSides("InsertField", newInsertField,
		option("topic.field", config.String, config.Null(), config.Medium, "The field for the topic. Like the other field names here it may end in ! (required) or ? (optional, the default).", nil),
		option("partition.field", config.String, config.Null(), config.Medium, "The field for the Kafka partition.", nil),
		option("offset.field", config.String, config.Null(), config.Medium, "The field for the Kafka offset; for sink connectors only.", nil),
		option("timestamp.field", config.String, config.Null(), config.Medium, "The field for the timestamp of the record.", nil),
		option("static.field", config.String, config.Null(), config.Medium, "The field for static.value.", nil),
		option("static.value", config.String, config.Null(), config.Medium, "The text for static.field.", nil),
		replaceNull),
	single("InsertHeader", newInsertHeader,
		option("header", config.String, config.Required(), config.High, "The name of the header.", nonNull),
		option("value.literal", config.String, config.Required(), config.High, "The value, written as SimpleHeaderConverter reads it: a number, true, a list, a map, or text.", nonNull)),
	bothSides("MaskField", newMaskField,
		option("fields", config.List, config.Required(), config.High, "The fields to mask.", config.NonEmptyList),
		option("replacement", config.String, config.Null(), config.Low, "What to put into numbers and texts instead of 0 and nothing.", config.NonEmpty),
		replaceNull),
	single("RegexRouter", newRegexRouter,
		option("regex", config.String, config.Required(), config.High, "The Java regular expression that the whole topic must match.", validRegex),
		option("replacement", config.String, config.Required(), config.High, "The text for the part that matched; $1 and ${name} stand for groups.", nil)),
	bothSides("ReplaceField", newReplaceField,
		option("exclude", config.List, config.Text(""), config.Medium, "The fields to drop. They win over include.", nil),
		option("include", config.List, config.Text(""), config.Medium, "The only fields to keep; none means all.", nil),
		option("renames", config.List, config.Text(""), config.Medium, "New names, as a list of old:new.", renameSpec),
		replaceNull),
	bothSides("SetSchemaMetadata", newSetSchemaMetadata,
		option("schema.name", config.String, config.Null(), config.High, "The new name of the schema.", nil),
		option("schema.version", config.Int, config.Null(), config.High, "The new version of the schema.", nil),
		replaceNull),
	bothSides("TimestampConverter", newTimestampConverter,
		option("field", config.String, config.Text(""), config.High, "The field that holds the time; empty for the whole key or value.", nil),
		option("target.type", config.String, config.Required(), config.High, "The new form: string, unix (a number), Date, Time or Timestamp.", config.OneOf(formString, formUnix, formDate, formTime, formTimestamp)),
		option("format", config.String, config.Text(""), config.Medium, "The pattern of times as text, that of java.text.SimpleDateFormat, in UTC.", nil),
		option("unix.precision", config.String, config.Text("milliseconds"), config.Low, "The unit of times as numbers.", config.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds")),
		replaceNull),
	single("TimestampRouter", newTimestampRouter,
		option("topic.format", config.String, config.Text("${topic}-${timestamp}"), config.High, "The new topic; ${topic} and ${timestamp} stand for the old one and the time.", nil),
		option("timestamp.format", config.String, config.Text("yyyyMMdd"), config.High, "The pattern of the time, that of java.text.SimpleDateFormat, in UTC.", nil)),
	single("ValueToKey", newValueToKey,
		option("fields", config.List, config.Required(), config.High, "The fields of the value that make up the new key.", config.NonEmptyList),
		replaceNull),
	predicate("HasHeaderKey", newHasHeaderKey,
		option("name", config.String, config.Required(), config.Medium, "The name of the header.", config.NonEmpty)),
	predicate("RecordIsTombstone", func(config.Values) (test, error) { return recordIsTombstone{}, nil }),
	predicate("TopicNameMatches", newTopicNameMatches,
		option("pattern", config.String, config.Required(), config.Medium, "The Java regular expression that the whole topic must match.", nonEmptyRegex)),
	ownClasses(),
)

// ownClasses are those that Kafka Connect does not have.
func ownClasses() []Class {
	arrays := bothSides("FlattenArrays", newFlattenArrays,
		option("fields", config.List, config.Text(""), config.High, "The arrays to flatten, by the names of their fields; none means all.", nil),
		option("form", config.String, config.Text(arraysIndex), config.High, "index: one field for each item, name.0, name.1 and so on. join: one text of all items. json: one text of JSON.", config.OneOf(arraysIndex, arraysJoin, arraysJSON)),
		option("delimiter", config.String, config.Text("."), config.Medium, "With index: what stands between the name and the number.", nil),
		option("separator", config.String, config.Text(","), config.Medium, "With join: what stands between the items.", nil),
		option("max.items", config.Int, config.Text("10"), config.Medium, "With index: the largest number of items. With a schema there are always as many fields, so that records have one schema; those without an item are null. A longer array fails.", config.Between(1, 1000)))
	for i := range arrays {
		arrays[i].Name = ownTransforms + arrays[i].Alias
	}
	return append(arrays, []Class{
		{
			Name: ownTransforms + "Expression", Alias: "Expression", Kind: config.TransformPlugin, step: newExpression,
			Def: config.NewDef(
				expressionOption("filter", expr.Bool, config.Null(), "Expression in CEL that says whether the record stays; others are dropped."),
				expressionOption("topic", expr.String, config.Null(), "Expression for the new topic."),
				expressionOption("key", expr.Any, config.Null(), "Expression for the new key."),
				expressionOption("value", expr.Any, config.Null(), "Expression for the new value, in place of the whole old one."),
				expressionOption("set", expr.Map, config.Null(), "Expression for a map of the fields to set in the value, by name."),
				expressionOption("headers", expr.Map, config.Null(), "Expression for a map of the headers to set, by name; null removes one."),
				expressionOption("timestamp", expr.Timestamp, config.Null(), "Expression for the new timestamp."),
				costLimit),
		},
		{
			Name: ownPredicates + "Expression", Alias: "Expression", Kind: config.PredicatePlugin, test: newExpressionTest,
			Def: config.NewDef(
				expressionOption("condition", expr.Bool, config.Required(), "Expression in CEL that says whether the predicate holds for the record."),
				costLimit),
		},
	}...)
}

var replaceNull = option(replaceNullKey, config.Boolean, config.Text("true"), config.Medium,
	"Whether null in a field that has a default is read as that default.", nil)

func option(name string, t config.Type, def config.Default, importance config.Importance, doc string, v config.Validator) config.Key {
	return config.Key{Name: name, Type: t, Default: def, Importance: importance, Documentation: doc, Validator: v}
}

// bothSides makes the classes NAME$Key and NAME$Value.
func bothSides(name string, build func(key bool, v config.Values) (step, error), keys ...config.Key) []Class {
	def := config.NewDef(keys...)
	side := func(suffix string, key bool) Class {
		alias := name + "$" + suffix
		return Class{
			Name: transformPackage + alias, Alias: alias, Kind: config.TransformPlugin, Def: def,
			step: func(v config.Values) (step, error) { return build(key, v) },
		}
	}
	return []Class{side("Key", true), side("Value", false)}
}

func single(name string, build func(config.Values) (step, error), keys ...config.Key) []Class {
	return []Class{{Name: transformPackage + name, Alias: name, Kind: config.TransformPlugin, Def: config.NewDef(keys...), step: build}}
}

func predicate(name string, build func(config.Values) (test, error), keys ...config.Key) []Class {
	return []Class{{Name: predicatePackage + name, Alias: name, Kind: config.PredicatePlugin, Def: config.NewDef(keys...), test: build}}
}

const pairs = "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>"

var (
	castSpec = config.Check(pairs, func(_ string, value any) error {
		specs, _ := value.([]string)
		if len(specs) == 0 {
			return configError("Must specify at least one field to cast.")
		}
		_, err := parseCasts(specs)
		return err
	})
	renameSpec = config.Check(pairs, func(_ string, value any) error {
		specs, _ := value.([]string)
		for _, pair := range specs {
			if len(splitColon(pair)) != 2 {
				return invalidRename(specs, pair)
			}
		}
		return nil
	})
	nonNull = config.Check("non-null string", func(name string, value any) error {
		if value == nil {
			return config.Invalid(name, value, "entry must be non null")
		}
		return nil
	})
	validRegex = config.Check("valid regex", func(name string, value any) error {
		text, ok := value.(string)
		if !ok {
			return nil
		}
		var java *convert.Error
		if _, err := compileJavaRegex(text); errors.As(err, &java) {
			return config.Invalid(name, value, "Invalid regex: "+java.Message)
		}
		return nil
	})
	nonEmptyRegex = allOf(config.NonEmpty, validRegex)
)

// allOf accepts what all of the validators accept.
func allOf(validators ...config.Validator) config.Validator {
	texts := make([]string, len(validators))
	for i, v := range validators {
		texts[i] = v.String()
	}
	return config.Check(strings.Join(texts, ", "), func(name string, value any) error {
		for _, v := range validators {
			if err := v.Validate(name, value); err != nil {
				return err
			}
		}
		return nil
	})
}
