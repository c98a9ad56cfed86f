package evolution

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Change is one difference between the known schema and a new one, for people.
type Change struct {
	// Path is the field: names with dots between, [] for the items of an array, {} for the values of a map. It is empty for
	// the value as a whole.
	Path string
	// What happened to it, to follow its name: "is new (optional STRING)".
	What string
}

func (c Change) String() string {
	if c.Path == "" {
		return "it " + c.What
	}
	return fmt.Sprintf("field %q %s", c.Path, c.What)
}

// maxChanges bounds what one comparison tells.
const maxChanges = 20

// Compare lists what readers of the known schema would see to be different in next: fields that are new or gone, types,
// logical types, names, nulls, defaults and parameters. The order of fields, versions and documentation are no change.
func Compare(known, next *data.Schema) []Change {
	c := comparison{}
	c.schemas("", known, next)
	return c.changes
}

type comparison struct{ changes []Change }

func (c *comparison) add(path, format string, args ...any) {
	if len(c.changes) < maxChanges {
		c.changes = append(c.changes, Change{path, fmt.Sprintf(format, args...)})
	}
}

func (c *comparison) schemas(path string, known, next *data.Schema) {
	switch {
	case len(c.changes) >= maxChanges || known.Equal(next):
		return
	case known == nil || next == nil:
		c.add(path, "has %s, and had %s", describe(next), describe(known))
		return
	case known.Type() != next.Type():
		c.add(path, "is %s, and was %s", describe(next), describe(known))
		return
	}
	c.attributes(path, known, next)
	switch known.Type() {
	case data.StructType:
		c.fields(path, known, next)
	case data.Array:
		c.schemas(path+"[]", known.ValueSchema(), next.ValueSchema())
	case data.MapType:
		c.schemas(path+"{key}", known.KeySchema(), next.KeySchema())
		c.schemas(path+"{}", known.ValueSchema(), next.ValueSchema())
	}
}

func (c *comparison) attributes(path string, known, next *data.Schema) {
	if known.Name() != next.Name() {
		c.add(path, "is %s, and was %s", describe(next), describe(known))
	}
	switch {
	case known.Optional() == next.Optional():
	case next.Optional():
		c.add(path, "may be null now")
	default:
		c.add(path, "may be null no more")
	}
	if !sameDefault(known, next) {
		c.add(path, "has the default %s, and had %s", defaultText(next), defaultText(known))
	}
	if !slices.Equal(known.Parameters(), next.Parameters()) {
		c.add(path, "has the parameters %s, and had %s", parameterText(next), parameterText(known))
	}
}

func (c *comparison) fields(path string, known, next *data.Schema) {
	for _, f := range known.Fields() {
		if n, ok := next.Field(f.Name); ok {
			c.schemas(below(path, f.Name), f.Schema, n.Schema)
		} else {
			c.add(below(path, f.Name), "is gone (%s)", describe(f.Schema))
		}
	}
	for _, f := range next.Fields() {
		if _, ok := known.Field(f.Name); !ok {
			c.add(below(path, f.Name), "is new (%s)", describe(f.Schema))
		}
	}
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sameDefault(a, b *data.Schema) bool {
	x, _ := a.Default()
	y, _ := b.Default()
	return data.Equal(x, y)
}

// describe names a type: "optional INT32 (org.apache.kafka.connect.data.Date)".
func describe(s *data.Schema) string {
	if s == nil {
		return "no schema"
	}
	text := s.Type().String()
	if s.Optional() {
		text = "optional " + text
	}
	if s.Name() != "" {
		text += " (" + s.Name() + ")"
	}
	return text
}

// maxShownBytes bounds defaults and parameters in a message.
const maxShownBytes = 100

func defaultText(s *data.Schema) string {
	v, ok := s.Default()
	if !ok {
		return "none"
	}
	return shown(fmt.Sprint(v))
}

func parameterText(s *data.Schema) string {
	if len(s.Parameters()) == 0 {
		return "none"
	}
	list := make([]string, 0, len(s.Parameters()))
	for _, p := range s.Parameters() {
		list = append(list, p.Key+"="+p.Value)
	}
	return shown(strings.Join(list, ","))
}

func shown(text string) string {
	if len(text) > maxShownBytes {
		return strings.ToValidUTF8(text[:maxShownBytes], "") + "…"
	}
	return text
}
