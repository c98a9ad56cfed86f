package draw

import (
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Schema draws a schema of any type that formats with schemas can hold: every primitive and logical type, lists, maps with keys
// of text and of numbers, and structs of up to maxFields fields that each have another name.
func Schema(t *rapid.T, maxFields int) *data.Schema { return schema(t, maxFields, 0) }

// deepest is how deep lists, maps and structs may lie in each other.
const deepest = 3

func schema(t *rapid.T, maxFields, depth int) *data.Schema {
	kind := rapid.IntRange(0, 15).Draw(t, "kind")
	if depth > deepest {
		kind %= 13
	}
	var b *data.Builder
	switch {
	case kind < 9:
		b = data.NewPrimitive(data.Int8 + data.Type(kind))
	case kind == 9:
		b = data.NewDecimal(rapid.Int32Range(0, 9).Draw(t, "scale"))
	case kind == 10:
		b = data.NewDate()
	case kind == 11:
		b = data.NewTime()
	case kind == 12:
		b = data.NewTimestamp()
	case kind == 13:
		b = data.NewArray(schema(t, maxFields, depth+1))
	case kind == 14 && rapid.Bool().Draw(t, "text keys"):
		b = data.NewMap(data.StringSchema, schema(t, maxFields, depth+1))
	case kind == 14:
		b = data.NewMap(data.Int64Schema, data.OptionalStringSchema)
	default:
		b = data.NewStruct().Name("n.R" + rapid.StringMatching(`[a-z]{8}`).Draw(t, "name"))
		for i := range rapid.IntRange(0, maxFields>>depth).Draw(t, "fields") {
			b.Field("f"+string(rune('a'+i)), schema(t, maxFields, depth+1))
		}
	}
	return b.SetOptional(rapid.Bool().Draw(t, "optional")).MustBuild()
}
