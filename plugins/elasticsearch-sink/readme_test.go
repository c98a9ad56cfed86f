package main

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/document"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/index"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// table reads the rows of the first table below a heading of the README, without the head.
func table(t *testing.T, heading string) [][]string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(raw), "\n## "+heading+"\n")
	require.True(t, found, heading)
	text, _, _ = strings.Cut(text, "\n## ")
	var rows [][]string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 1, heading)
	return rows[1:]
}

// typed is what a row of the table of types stands for.
type typed struct {
	schema *data.Schema
	value  any
	plain  bool // compact.map.entries=false
}

func typesOfTheTable() map[string]typed {
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	inner := data.NewStruct().Field("x", data.Int16Schema).MustBuild()
	stringMap := data.NewMap(data.StringSchema, data.Int8Schema).MustBuild()
	entry := data.NewMapValue(data.MapEntry{Key: "k", Value: int8(1)})
	return map[string]typed{
		"INT8": {schema: data.Int8Schema, value: int8(-5)}, "INT16": {schema: data.Int16Schema, value: int16(300)},
		"INT32": {schema: data.Int32Schema, value: int32(70000)}, "INT64": {schema: data.Int64Schema, value: int64(math.MinInt64)},
		"FLOAT32": {schema: data.Float32Schema, value: float32(0.1)}, "FLOAT64": {schema: data.Float64Schema, value: 1e300},
		"FLOAT64 NaN": {schema: data.Float64Schema, value: math.NaN()}, "BOOLEAN": {schema: data.BooleanSchema, value: true},
		"STRING": {schema: data.StringSchema, value: "a\"é\n"}, "STRING not UTF-8": {schema: data.StringSchema, value: "a\xff"},
		"BYTES": {schema: data.BytesSchema, value: []byte{1, 2, 255}}, "Decimal": {schema: data.DecimalSchema(2), value: data.NewDecimalValue(-12345, 2)},
		"Date": {schema: data.DateSchema, value: day}, "Time": {schema: data.TimeSchema, value: time.UnixMilli(3_600_000).UTC()},
		"Timestamp":                            {schema: data.TimestampSchema, value: day},
		"ARRAY of INT8":                        {schema: data.NewArray(data.Int8Schema).MustBuild(), value: []any{int8(1), int8(2)}},
		"MAP of STRING to INT8":                {schema: stringMap, value: entry},
		"MAP of INT64 to STRING":               {schema: data.NewMap(data.Int64Schema, data.StringSchema).MustBuild(), value: data.NewMapValue(data.MapEntry{Key: int64(1), Value: "v"})},
		"MAP with `compact.map.entries=false`": {schema: stringMap, value: entry, plain: true},
		"STRUCT":                               {schema: inner, value: data.NewValue(inner).Set("x", 1).MustBuild()},
		"optional, null":                       {schema: data.OptionalInt64Schema},
		"optional with default 7, null":        {schema: data.NewPrimitive(data.Int64).Optional().Default(int64(7)).MustBuild()},
		"without a schema":                     {schema: data.NewArray(nil).Schemaless().MustBuild(), value: []any{int64(5), 2.5, "s"}},
	}
}

func TestTheTableOfTypes(t *testing.T) {
	cases := typesOfTheTable()
	for _, row := range table(t, "Types") {
		name, wantJSON, wantType := row[0], strings.Trim(row[2], "`"), strings.Trim(row[3], "`")
		c, known := cases[name]
		require.True(t, known, "no case for the row %s", name)
		delete(cases, name)
		t.Run(name, func(t *testing.T) {
			s := data.NewStruct().Field("f", c.schema).MustBuild()
			v, err := data.NewStructValue(s)
			require.NoError(t, err)
			require.NoError(t, v.Put("f", c.value))
			wire, err := data.AppendValue(nil, s, v)
			require.NoError(t, err)
			plan, err := document.NewPlan(s, document.Options{CompactMaps: !c.plain})
			require.NoError(t, err)
			got, err := plan.Append(nil, wire, -1)
			if strings.HasPrefix(wantJSON, "cannot") {
				var bad *document.Error
				require.ErrorAs(t, err, &bad)
			} else {
				require.NoError(t, err)
				require.Equal(t, `{"f":`+wantJSON+`}`, string(got))
			}
			mapping, err := index.Mapping(s, !c.plain)
			require.NoError(t, err)
			if wantType == "left to the server" {
				require.JSONEq(t, `{"properties":{}}`, string(mapping))
			} else {
				require.JSONEq(t, `{"properties":{"f":`+wantType+`}}`, string(mapping))
			}
		})
	}
	require.Empty(t, cases, "each case has a row")
}

// Every row of the tables of faults and features names a test that there is.
func TestEveryRowNamesATest(t *testing.T) {
	var sources []string
	for _, dir := range []string{".", "../../test/e2e", "../../test/conformance"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			sources = append(sources, string(text))
			return err
		}))
	}
	name := regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([^`]+))?`")
	for _, heading := range []string{"What happens when something fails", "What else is tested"} {
		for _, row := range table(t, heading) {
			named := name.FindAllStringSubmatch(row[len(row)-1], -1)
			require.NotEmpty(t, named, row[0])
			for _, n := range named {
				found := false
				for _, source := range sources {
					found = found || strings.Contains(source, "\nfunc "+n[1]+"(") && (n[2] == "" || strings.Contains(source, `"`+n[2]+`"`))
				}
				require.True(t, found, "%s: there is no %s", row[0], n[0])
			}
		}
	}
}
