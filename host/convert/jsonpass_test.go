package convert

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// samePass reads text both ways and wants the same: schema, bytes, error.
func samePass(t require.TestingT, c *jsonConverter, text string) (passed bool) {
	b := jsonText(toUTF8([]byte(text)))
	lead := []byte("lead")
	schema, after, ok := c.onePass(lead, b)
	if !ok {
		return false
	}
	// The careful reader keeps a cache, too: the schema must be the same pointer.
	want, careful, err := c.carefully([]byte("lead"), b)
	require.NoError(t, err, text)
	require.Same(t, want, schema, text)
	require.Equal(t, careful, after, text)
	return true
}

// jsonOf draws JSON text with what a document may hold.
func jsonOf(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t"})
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
	case 1:
		return fmt.Sprint(rapid.Int64().Draw(t, "int"))
	case 2:
		return rapid.SampledFrom([]string{"0.1", "-0.0", "-0", "007", "1e3", "-1.5E-7", "123456789012345678901234567890", "9007199254740993.25", "1e400", "18446744073709551617", "0.000001234567890123", "12345678901234567.8", "1.7976931348623157e308"}).Draw(t, "number")
	case 3:
		f := rapid.Float64().Draw(t, "float")
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return "1.25"
		}
		text, err := json.Marshal(f)
		require.NoError(t, err)
		return string(text)
	case 4:
		text, err := json.Marshal(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"\\\x00-\x1f é€\x{1F600}]{0,40}`)).Draw(t, "text"))
		require.NoError(t, err)
		return string(text)
	case 5:
		var items []string
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			items = append(items, space.Draw(t, "space")+jsonOf(t, depth-1)+space.Draw(t, "space"))
		}
		return "[" + strings.Join(items, ",") + space.Draw(t, "space") + "]"
	}
	var members []string
	for range rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(60, 70)).Draw(t, "members") {
		name := rapid.SampledFrom([]string{"a", "b", "ab", "n", "long name", `\u0061`, `q\"`, "é"}).Draw(t, "name")
		if rapid.Bool().Draw(t, "fresh") {
			name = fmt.Sprintf("%s%d", name, len(members))
		}
		members = append(members, space.Draw(t, "space")+`"`+name+`"`+space.Draw(t, "space")+":"+space.Draw(t, "space")+jsonOf(t, min(depth-1, 1)))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestTheSinglePassReadsWhatTheCarefulReaderReads(t *testing.T) {
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		text := jsonOf(t, 3)
		if rapid.IntRange(0, 9).Draw(t, "spoil") == 0 && len(text) > 0 {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			text = text[:at] + rapid.SampledFrom([]string{"", ",", "x", "\"", "}", "\x01", "\xff"}).Draw(t, "with") + text[at+1:]
		}
		if samePass(t, &jsonConverter{cacheSize: 10}, text) {
			passed++
		}
	})
	require.Positive(t, passed, "the usual text goes the fast way")
}

const everySchema = `{"type":"struct","optional":false,"fields":[
	{"field":"i8","type":"int8","optional":true},{"field":"i16","type":"int16","optional":true},{"field":"i32","type":"int32","optional":true},{"field":"i64","type":"int64","optional":true},
	{"field":"f32","type":"float","optional":true},{"field":"f64","type":"double","optional":true},{"field":"yes","type":"boolean","optional":true},
	{"field":"text","type":"string","optional":true,"default":"d"},{"field":"raw","type":"bytes","optional":true},
	{"field":"list","type":"array","optional":true,"items":{"type":"int32","optional":true}},
	{"field":"map","type":"map","optional":true,"keys":{"type":"string","optional":false},"values":{"type":"double","optional":true}},
	{"field":"pairs","type":"map","optional":true,"keys":{"type":"int32","optional":false},"values":{"type":"string","optional":true}},
	{"field":"at","type":"int64","optional":true,"name":"org.apache.kafka.connect.data.Timestamp","version":1},
	{"field":"day","type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Date","version":1},
	{"field":"time","type":"int32","optional":true,"name":"org.apache.kafka.connect.data.Time","version":1},
	{"field":"money","type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},
	{"field":"label","type":"string","optional":true,"name":"org.apache.kafka.connect.data.Date"},
	{"field":"in","type":"struct","optional":true,"fields":[{"field":"x","type":"int64","optional":false},{"field":"q\"","type":"string","optional":true}]},
	{"field":"last","type":"string","optional":true}]}`

func TestTheSinglePassKnowsEverySchema(t *testing.T) {
	var compact strings.Builder
	for _, line := range strings.Split(everySchema, "\n") {
		compact.WriteString(strings.TrimSpace(line))
	}
	lead := `{"schema":` + compact.String() + `,"payload":`
	usual := `{"i8":-5,"i16":300,"i32":7,"i64":-9223372036854775808,"f32":1.5,"f64":-0.1,"yes":true,"text":"é\n","raw":"AQL/","list":[1,null,3],` +
		`"map":{"k":1.5,"l":null},"pairs":[[1,"a"],[2,null]],"at":1795219200000,"day":5,"time":7,"money":"AQA=","label":null,"in":{"x":1,"q\"":"z"},"last":"end"}`
	newConverter := func() *jsonConverter {
		c := &jsonConverter{schemas: true, cacheSize: 10, nullTakesDefault: true}
		_, _, err := c.ToConnect(nil, "", []byte(lead+usual+"}"))
		require.NoError(t, err)
		require.NotNil(t, c.lastPass)
		return c
	}
	for _, payload := range []string{
		usual,
		strings.ReplaceAll(usual, ",", " ,\n"),
		`{"i8":null,"i16":null,"i32":null,"i64":null,"f32":null,"f64":null,"yes":null,"text":null,"raw":null,"list":null,"map":null,"pairs":null,"at":null,"day":null,"time":null,"money":null,"label":null,"in":null,"last":null}`,
		`{"last":"other order","i8":1}`, `{}`,
		strings.Replace(usual, `"i8":-5`, `"i8":1e3`, 1), strings.Replace(usual, `"i64":-9223372036854775808`, `"i64":92233720368547758070`, 1),
		strings.Replace(usual, `"text":"é\n"`, `"text":5`, 1), strings.Replace(usual, `"money":"AQA="`, `"money":1.25`, 1),
		strings.Replace(usual, `"map":{"k":1.5,"l":null}`, `"map":{"k":1.5,"k":2}`, 1), strings.Replace(usual, `"x":1`, `"x":1,"more":[{}]`, 1),
	} {
		require.True(t, samePass(t, newConverter(), lead+payload+"}"), payload)
	}
	for _, bad := range []string{
		strings.Replace(usual, `"x":1`, `"x":null`, 1), strings.Replace(usual, `"at":1795219200000`, `"at":"x"`, 1), `5`, `null`, `"x"`, usual + `,"more":1`,
		strings.Replace(usual, `"last":"end"`, `"last":"end`, 1),
	} {
		c := newConverter()
		_, _, ok := c.onePass(nil, jsonText(lead+bad+"}"))
		require.False(t, ok, bad)
	}
	_, _, err := newConverter().ToConnect(nil, "", []byte(lead+strings.Replace(usual, `"x":1`, `"x":null`, 1)+"}"))
	require.ErrorContains(t, err, "Invalid null value for required INT64 field")
}

// Any text at all: the single pass gives up, or reads what the careful reader reads.
func FuzzSinglePass(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[true,null,"x\n",-1.5e7,{}]}`, `{"a":1,"a":2}`, `[1,]`, `{"a":`, `"\ud83d\ude00"`, `01`, `-`, `{"a":12345678901234567890.5}`, "\"\xff\"", `truex`, "{\"a\":1,\"b\":2}\n{\"a\":1}\n{\"a\":1,\"a\":2}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		remembers := &jsonConverter{cacheSize: 10}
		for _, record := range strings.SplitN(string(b), "\n", 4) {
			samePass(t, remembers, record)
		}
		samePass(t, &jsonConverter{cacheSize: 10}, string(b))
		c := &jsonConverter{schemas: true, cacheSize: 10, nullTakesDefault: true}
		lead := `{"schema":{"type":"struct","optional":false,"fields":[{"field":"a","type":"int32","optional":true},{"field":"m","type":"map","optional":true,"keys":{"type":"string","optional":false},"values":{"type":"string","optional":true}}]},"payload":`
		_, _, err := c.ToConnect(nil, "", []byte(lead+`{"a":1,"m":{}}}`))
		require.NoError(t, err)
		samePass(t, c, lead+string(b)+"}")
	})
}

func BenchmarkJSONToConnect(b *testing.B) {
	text := `{"n":12345,"key":"key-12345","price":345.25,"ok":true,"text":"the quick brown fox jumps over the lazy dog 12 times"}`
	schema := `{"type":"struct","fields":[{"type":"int64","optional":false,"field":"n"},{"type":"string","optional":true,"field":"key"},` +
		`{"type":"double","optional":true,"field":"price"},{"type":"boolean","optional":true,"field":"ok"},{"type":"string","optional":true,"field":"text"}],"optional":false,"name":"document"}`
	for _, x := range []struct {
		name, text string
		c          *jsonConverter
	}{
		{"schemaless", text, &jsonConverter{cacheSize: 10}},
		{"schema", `{"schema":` + schema + `,"payload":` + text + "}", &jsonConverter{schemas: true, cacheSize: 10}},
	} {
		in := []byte(x.text)
		for name, read := range map[string]func(dst []byte) (*data.Schema, []byte, error){
			"pass":      func(dst []byte) (*data.Schema, []byte, error) { return x.c.ToConnect(dst, "", in) },
			"carefully": func(dst []byte) (*data.Schema, []byte, error) { return x.c.carefully(dst, in) },
		} {
			b.Run(x.name+"/"+name, func(b *testing.B) {
				var dst []byte
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				for b.Loop() {
					_, after, err := read(dst[:0])
					if err != nil {
						b.Fatal(err)
					}
					dst = after
				}
			})
		}
	}
}
