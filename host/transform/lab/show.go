package lab

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// describe shows a record as lines of "path  type  value", one for each part.
func describe(t *transform.Record) []string {
	d := &describer{}
	d.add("topic", "", t.Topic)
	if t.Partition != transform.NoPartition {
		d.add("partition", "", strconv.Itoa(int(t.Partition)))
	}
	if t.Timestamp != transform.NoTimestamp {
		d.add("timestamp", "", time.UnixMilli(t.Timestamp).UTC().Format(time.RFC3339Nano))
	}
	d.cell("key", &t.Key)
	d.cell("value", &t.Value)
	list, err := t.Headers.All()
	if err != nil {
		d.add("headers", "", "(unreadable: "+err.Error()+")")
	}
	for i := range list {
		d.cell("header "+list[i].Name, &list[i].Value)
	}
	return d.lines
}

type describer struct{ lines []string }

func (d *describer) add(path, typ, text string) {
	d.lines = append(d.lines, strings.TrimRight(fmt.Sprintf("%-28s %-16s %s", path, typ, text), " "))
}

func (d *describer) cell(path string, c *transform.Cell) {
	v, err := c.Value()
	if err != nil {
		d.add(path, "", "(unreadable: "+err.Error()+")")
		return
	}
	if c.Schema() == nil && v == nil && path == "key" {
		return // absent
	}
	d.value(path, c.Schema(), v)
}

func (d *describer) value(path string, s *data.Schema, v any) {
	switch v := v.(type) {
	case *data.Struct:
		if v == nil || v.Schema() == nil {
			break
		}
		d.add(path, typeName(v.Schema()), "")
		for i, f := range v.Schema().Fields() {
			d.value(path+"."+f.Name, f.Schema, v.Values()[i])
		}
		return
	case *data.Map:
		if v == nil {
			break
		}
		d.add(path, typeOf(s, "map"), "")
		var item *data.Schema
		if s != nil {
			item = s.ValueSchema()
		}
		for _, e := range v.Entries() {
			d.value(path+"."+string(data.AppendJavaText(nil, e.Key)), item, e.Value)
		}
		return
	case []any:
		d.add(path, typeOf(s, "array"), "")
		var item *data.Schema
		if s != nil {
			item = s.ValueSchema()
		}
		for i, x := range v {
			d.value(path+"["+strconv.Itoa(i)+"]", item, x)
		}
		return
	}
	d.add(path, typeOf(s, plainType(v)), text(v))
}

func typeOf(s *data.Schema, plain string) string {
	if s == nil {
		return plain
	}
	return typeName(s)
}

// typeName is a schema in short: int32, string?, Timestamp, struct Name v2.
func typeName(s *data.Schema) string {
	name := strings.ToLower(s.Type().String())
	if s.HasName() {
		switch short := strings.TrimPrefix(s.Name(), "org.apache.kafka.connect.data."); {
		case short != s.Name():
			name = short
		default:
			name += " " + s.Name()
		}
		if v, ok := s.Version(); ok && !strings.HasPrefix(s.Name(), "org.apache.kafka.connect.data.") {
			name += " v" + strconv.Itoa(int(v))
		}
	}
	if s.Optional() {
		name += "?"
	}
	return name
}

// plainType is the type of a value without a schema.
func plainType(v any) string {
	switch v.(type) {
	case nil:
		return ""
	case time.Time:
		return "Timestamp"
	case data.Decimal:
		return "Decimal"
	case []byte:
		return "bytes"
	case bool:
		return "boolean"
	}
	return fmt.Sprintf("%T", v)
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case []byte:
		return fmt.Sprintf("0x%x", v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return string(data.AppendJavaText(nil, v))
}

// Diff compares lines: those that are in both are marked by ' ', gone ones by '-' and new ones by '+'.
func Diff(before, after []string) []string {
	if len(before)*len(after) > maxDiffCells { // show both, one after the other
		return append(mark('-', before), mark('+', after)...)
	}
	// The length of the longest common part from each pair of places on.
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			out = append(out, "  "+before[i])
			i, j = i+1, j+1
		case j == len(after) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+before[i])
			i++
		default:
			out = append(out, "+ "+after[j])
			j++
		}
	}
	return out
}

const maxDiffCells = 4 << 20

func mark(sign byte, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = string(sign) + " " + l
	}
	return out
}
