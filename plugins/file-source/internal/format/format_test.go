package format

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestTextsBecomeTypedValues(t *testing.T) {
	decimal, err := data.ParseDecimal("12.30")
	require.NoError(t, err)
	for spec, cases := range map[string]map[string]any{
		"x:string":     {"": "", "a": "a"},
		"x:boolean":    {"TRUE": true, "false": false, "": nil},
		"x:int8":       {"-128": int8(-128)},
		"x:int16":      {"300": int16(300)},
		"x:int32":      {"70000": int32(70000)},
		"x:int64":      {"-9223372036854775808": int64(-1 << 63), "": nil},
		"x:float32":    {"1.5": float32(1.5)},
		"x:float64":    {"1e300": 1e300},
		"x:bytes":      {"AQI=": []byte{1, 2}},
		"x:decimal(2)": {"12.3": decimal},
		"x:date":       {"2026-11-21": time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
		"x:time":       {"03:45:01": time.Date(1970, 1, 1, 3, 45, 1, 0, time.UTC)},
		"x:timestamp":  {"2026-11-21T03:45:00+01:00": time.Date(2026, 11, 21, 2, 45, 0, 0, time.UTC)},
	} {
		fields, err := ParseFields([]string{spec})
		require.NoError(t, err)
		for text, want := range cases {
			got, err := fields[0].Parse(text)
			require.NoError(t, err, spec)
			require.True(t, data.Equal(want, got) || want == got, "%s %q: %v", spec, text, got)
			require.NoError(t, data.Validate(fields[0].Schema, got), spec)
		}
	}
}

func TestBadTextsAreNamed(t *testing.T) {
	for spec, text := range map[string]string{
		"x:int8": "128", "x:boolean": "yes", "x:decimal(2)": "1.234", "x:date": "21.11.2026", "x:bytes": "%", "x:float64": "1,5",
	} {
		fields, err := ParseFields([]string{spec})
		require.NoError(t, err)
		_, err = fields[0].Parse(text)
		require.ErrorContains(t, err, `field "x": "`+text+`" is not`)
	}
	for _, bad := range []string{"x", ":int8", "x:intt", "x:decimal(x)"} {
		_, err := ParseFields([]string{bad})
		require.Error(t, err, bad)
	}
	_, err := ParseFields([]string{"a:int8", "a:string"})
	require.ErrorContains(t, err, "twice")
}

func TestRowsAgreeWithTheStandardReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.StringOf(rapid.SampledFrom([]rune("ab,\"\né "))), 1, 6).Draw(t, "cells")
		var b strings.Builder
		w := csv.NewWriter(&b)
		require.NoError(t, w.Write(want))
		w.Flush()
		cells, err := (&CSV{Separator: ',', Quote: '"'}).Row([]byte(strings.TrimSuffix(b.String(), "\n")))
		require.NoError(t, err)
		var got []string
		for _, c := range cells {
			got = append(got, string(c))
		}
		require.Equal(t, want, got)
	})
}

func TestBadRows(t *testing.T) {
	c := &CSV{Separator: ';', Quote: '"'}
	_, err := c.Row([]byte(`a;"b`))
	require.ErrorContains(t, err, "not closed")
	_, err = c.Row([]byte(`"a"b;c`))
	require.ErrorContains(t, err, "column 1")
	_, err = c.Row([]byte(`"a""`))
	require.ErrorContains(t, err, "not closed")
}

func TestColumnsTakeTheTypesOfTheFields(t *testing.T) {
	typed, err := ParseFields([]string{"id:int64"})
	require.NoError(t, err)
	c := &CSV{Separator: ',', Quote: '"'}
	columns, err := c.Columns([]byte("\xEF\xBB\xBFname, id"), typed)
	require.NoError(t, err)
	require.Equal(t, "name", columns[0].Name)
	require.Equal(t, data.Int64, columns[1].Schema.Type())
	_, err = c.Columns([]byte("name"), typed)
	require.ErrorContains(t, err, "lacks a column")
	_, err = c.Columns([]byte("a,,b"), nil)
	require.ErrorContains(t, err, "column 2 has no name")
}

func TestJSONKeepsValuesAndOrder(t *testing.T) {
	v, err := JSON([]byte(` {"z":9223372036854775807,"a":[1.5,null,true,"\u00e9"],"o":{}} `))
	require.NoError(t, err)
	want := data.NewMapValue(data.MapEntry{Key: "z", Value: int64(1<<63 - 1)},
		data.MapEntry{Key: "a", Value: []any{1.5, nil, true, "é"}}, data.MapEntry{Key: "o", Value: &data.Map{}})
	require.Equal(t, want.String(), v.(*data.Map).String())
	_, err = data.AppendValue(nil, nil, v)
	require.NoError(t, err)
	for text, message := range map[string]string{
		"":                       "ends too early",
		`{"a":`:                  "ends too early",
		"1 2":                    "follows",
		"9223372036854775808":    "does not fit",
		"{]":                     "invalid",
		strings.Repeat("[", 200): "deeper",
		`{"a":1e999}`:            "does not fit",
	} {
		_, err := JSON([]byte(text))
		require.ErrorContains(t, err, message, text)
	}
}

func TestJSONObjectsBecomeTypedFields(t *testing.T) {
	fields, err := ParseFields([]string{"id:int32", "price:decimal(20)", "at:timestamp", "gone:string"})
	require.NoError(t, err)
	values, err := Struct(fields, []byte(`{"at":1000,"id":7,"price":0.12345678901234567891,"more":[1]}`))
	require.NoError(t, err)
	require.Equal(t, int32(7), values[0])
	require.Equal(t, "0.12345678901234567891", values[1].(data.Decimal).String(), "I-7: no digit is lost")
	require.Equal(t, time.Unix(1, 0).UTC(), values[2])
	require.Nil(t, values[3])
	_, err = Struct(fields, []byte(`{"id":true}`))
	require.ErrorContains(t, err, `field "id": a boolean cannot become`)
	_, err = Struct(fields, []byte(`[]`))
	require.ErrorContains(t, err, "no JSON object")
}
